"""Which machines compare the notebooks' outputs: those that calculate as the one did that saved them."""

import arithmetic
import pytest


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return the file in which the digest is kept here; this machine's is "mine"."""
    monkeypatch.setattr(arithmetic, "KEPT", tmp_path / "arithmetic.txt")
    monkeypatch.setattr(arithmetic, "digest", lambda: "mine")
    return arithmetic.KEPT


@pytest.mark.parametrize(
    ("saved", "option"), [("mine\n", "--nbval\n"), ("other\n", "--nbval-lax\n"), (None, "--nbval-lax\n")]
)
def test_outputs_are_compared_where_the_last_bits_are_the_same(kept, saved, option, monkeypatch, capsys):
    if saved:
        kept.write_text(saved)
    monkeypatch.setattr("sys.argv", ["arithmetic.py"])
    arithmetic.main()
    printed = capsys.readouterr()
    assert printed.out == option
    assert ("not compared" in printed.err) == (option != "--nbval\n")


def test_saving(kept, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["arithmetic.py", "--save"])
    arithmetic.main()
    assert kept.read_text() == "mine\n" and capsys.readouterr().out == ""


def test_one_bit_makes_another_digest(monkeypatch):
    train, model = arithmetic.train, arithmetic.model
    monkeypatch.setattr(model, "extractor", lambda network: type("", (), {"one": lambda self, photo: [photo]})())
    monkeypatch.setattr(train, "fit", lambda part, *_: (part, []))
    before = arithmetic.digest()
    assert arithmetic.digest() == before
    eigh = arithmetic.np.linalg.eigh
    monkeypatch.setattr(arithmetic.np.linalg, "eigh", lambda a: [arithmetic.np.nextafter(x, 9) for x in eigh(a)])
    assert arithmetic.digest() != before
