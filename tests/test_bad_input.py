"""Bad input gets one clear line and exit status 2, never a traceback or a silent default."""
