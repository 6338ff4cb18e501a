# Sourced by the scripts here. Puts an interpreter that has the requirements first in PATH: the one already there where
# it finds Paddle, else that of .venv, which `make demo` and `make test` create.
has_paddle() { "$1" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("paddle") is None)' >/dev/null 2>&1; }
if ! has_paddle python; then
  if [ -x .venv/bin/python ]; then
    PATH="$PWD/.venv/bin:$PATH"
  else
    echo "error: 'python' does not find Paddle and there is no .venv; run 'make venv' or activate an environment" >&2
    exit 2
  fi
fi
export PATH
