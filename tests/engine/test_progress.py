from engine.progress import progress


def test_silent_without_a_terminal(capsys):
    assert list(progress(iter([1, 2]), 2, "batch")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress(iter([1, 2]), 2, "batch")) == [1, 2]
    assert "batch" in capsys.readouterr().err
