"""Generated source is kept in a folder of the user's own, checked before it is run."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import stat
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.formulas import parse
from chainrule.kernels import _native, activation_kernels, cache_folder, kept_answer
from chainrule.kernels.running import _tiles

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX file systems")
RUN = """
import sys, warnings
import numpy as np
from chainrule.formulas import parse
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        from chainrule.kernels import activation_kernels, backward, cache_folder, forward
        a = forward(parse("z*z + 1"), np.array([3.0]))
        backward(parse("z*z + 1"), a, a)
    except Exception as error:
        print(type(error).__name__, str(error).replace("\\n", " "))
        raise SystemExit(3)
print(float(a[0]), len(caught), cache_folder())
print([str(w.message) for w in caught])
print(activation_kernels(parse("z*z + 1"), "float64").forward.path)
"""


YESTERDAY = time.time() - 1.5 * 24 * 60 * 60


@pytest.fixture
def folder(tmp_path):
    """Return a folder without kernels, but with what calls them: to compile that takes longest.

    Earlier versions may have left theirs beside it; the time of what is read becomes a new one.
    """
    for code in cache_folder().glob("*/_driver.*.code"):
        there = tmp_path / code.parent.name
        there.mkdir(exist_ok=True)
        os.utime(shutil.copy(code, there), (YESTERDAY, YESTERDAY))
    return tmp_path


def run(folder: Path | str, code: str = RUN) -> tuple[int, list[str]]:
    environment = {**os.environ, "CHAINRULE_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_the_source_can_be_read_back():
    """It lies in the cache folder under the name of its content."""
    kernel = activation_kernels(parse("z*z + 1"), np.float64).forward
    assert kernel.path.parent == cache_folder()
    assert kernel.path.read_text(encoding="utf-8") == kernel.source
    assert "def forward" in kernel.source
    assert "z*z + 1" in kernel.source


def test_what_is_not_asked_for_is_not_compiled(folder):
    """A forward pass leaves code of the forward kernel alone; both have their source."""
    calls = "import numpy as np, chainrule; f = chainrule.activation('z*z + 3'); z = np.ones(2); "
    assert run(folder, f"{calls}print(f(z)[0])") == (0, ["4.0"])
    sources = {path.stem: path.read_text() for path in folder.glob("kernel_*.py")}
    compiled = {path.name.split(".")[0] for path in folder.rglob("kernel_*.code")}
    new = {name: text for name, text in sources.items() if "z*z + 3" in text}
    assert len(new) == 2
    assert ["def forward" in new[name] for name in new if name in compiled] == [True]
    assert run(folder, f"{calls}print(f.backward(z, z)[0])") == (0, ["2.0"])


def test_code_for_tiles_is_compiled_when_it_is_wanted(folder):
    """Small contiguous arrays do without; what is laid out otherwise finds it at once."""
    calls = "import numpy as np, chainrule; f = chainrule.activation('relu'); z = np.ones((2, 3)); "
    assert run(folder, f"{calls}print(f(z)[0])") == (0, ["[1. 1. 1.]"])
    assert not list(folder.rglob("_tiles.*.code"))
    assert run(folder, f"{calls}print(f(z[:, ::2])[0])") == (0, ["[1. 1.]"])
    assert list(folder.rglob("_tiles.in_tiles*.code"))


@posix
def test_the_folder_is_its_owners_alone(tmp_path):
    """It is made with its parents, readable and writable by the user only, and used again."""
    folder = tmp_path / "new" / "cache"
    code, lines = run(folder)
    assert (code, lines[0]) == (0, f"10.0 0 {folder}")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    source = Path(lines[2])
    assert source.parent == folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith(".code") for name in before)  # the compiled code is kept as well
    assert run(folder) == (code, lines)
    after = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before  # nothing was generated or compiled again

    damage = 'open(__file__ + ".ran", "w").close()\n'
    for poison in (source.read_text() + damage, source.read_text()[:-200]):
        source.write_text(poison)
        assert run(folder) == (code, lines)
        assert source.read_text() != poison
        assert not Path(f"{source}.ran").exists()


def test_a_damaged_entry_is_generated_anew(folder):
    """Entries that name nothing, another file, or are no text are not followed."""
    code, lines = run(folder)
    assert code == 0
    (folder / "other.py").write_text('open(__file__ + ".ran", "w").close()\n')
    entries = list(folder.glob("*.entry"))
    assert entries
    for content in (b"other", b"../other", b"\xff\xfe\x00"):
        for entry in entries:
            entry.write_bytes(content)
        assert run(folder) == (code, lines), content
    assert not (folder / "other.py.ran").exists()


def test_an_answer_is_found_once(tmp_path, monkeypatch):
    """A number, or that there is none, is kept; what is damaged is found anew."""
    monkeypatch.setattr("chainrule.kernels.compiling._compile.cache_folder", lambda: tmp_path)
    asked = []

    def find() -> float | None:
        asked.append(len(asked))
        return (-0.1, None, 1e-300)[len(asked) - 1]

    for question, answer in (("a", -0.1), ("b", None)):
        assert [kept_answer(question, find) for _ in range(3)] == [answer] * 3
    assert asked == [0, 1]
    for path in tmp_path.glob("*.entry"):
        path.write_text("\nnu", encoding="ascii")
    assert kept_answer("a", find) == 1e-300
    assert asked == [0, 1, 2]


def test_damaged_code_is_compiled_anew(folder):
    """Compiled files carry a digest; what does not fit it is not read, and is replaced."""
    first = run(folder)
    files = [path for path in folder.rglob("*.code") if path.stat().st_mtime > YESTERDAY + 60]
    assert len(files) > 2
    contents = cycle((b"", b"\x80\x04 no code" * 99))
    for path, content in zip(sorted(files), contents, strict=False):
        path.write_bytes(content)
    assert run(folder) == first
    assert all(len(path.read_bytes()) > 1000 for path in files)


def test_code_that_cannot_be_kept_runs_all_the_same(folder):
    """A full disk, say: here a folder stands where each file should."""
    first = run(folder)
    for path in list(folder.rglob("*.code")):
        path.unlink()
        path.mkdir()
    assert run(folder) == first


def test_compiled_code_goes_where_no_setting_of_numba_leads(tmp_path):
    """Such a setting is the whole process's: while one thread had changed it, others read it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = (
        "from numba.core import caching, config\n"
        "config.CACHE_DIR = 'relative'\n"
        "seen = set()\n"
        "before = caching.FunctionCache.__init__\n"
        "def look(self, function):\n"
        "    seen.add(config.CACHE_DIR)\n"
        "    before(self, function)\n"
        "caching.FunctionCache.__init__ = look\n" + RUN + "\nprint(seen)"
    )
    (tmp_path / "cache").mkdir(mode=0o700)
    environment = {**os.environ, "CHAINRULE_CACHE": str(tmp_path / "cache")}
    for more in ({}, {"NUMBA_CACHE_LOCATOR_CLASSES": "InTreeCacheLocator"}):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=elsewhere, env=environment | more,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "{'relative'}"
    assert not list(elsewhere.iterdir())
    assert list((tmp_path / "cache").rglob("*.code"))


def test_nothing_is_left_of_what_was_only_tried(folder):
    """Of the arithmetic that was not chosen neither source nor code remains."""
    code = (
        "import numpy as np, chainrule; "
        "chainrule.activation('z*tanh(log(1 + exp(z/2)))')(np.zeros(3, np.float32))"
    )
    assert run(folder, code)[0] == 0
    kept = {path.stem for path in folder.glob("kernel_*.py")}
    assert len(kept) == 4  # value and slope in float32, and in float64 to compare with
    assert {path.name.split(".")[0] for path in folder.rglob("kernel_*.code")} <= kept


def test_what_others_chose_stays(folder):
    """With another parameter the same modules are tried, and rejected; they belong to the first."""
    code = (
        "import numpy as np\n"
        "from chainrule.formulas import parse\n"
        "from chainrule.kernels import activation_kernels\n"
        "first, second = (\n"
        "    activation_kernels(parse('z/(1 + exp(-k*z))', {'k': k}), np.float32)\n"
        "    for k in (1.0, 1.1)\n"
        ")\n"
        "print('def forward' in first.source, 'def forward' in second.source)\n"
        "print(first.modules[0] == second.modules[0])"
    )
    assert run(folder, code) == (0, ["True True", "False"])


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_is_refused(tmp_path, mode):
    """Code in it might be theirs; the error says what to do."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode)
    code, lines = run(folder)
    assert code == 3
    assert lines[0].startswith("CacheError")
    assert "CHAINRULE_CACHE" in lines[0]
    assert list(folder.iterdir()) == []


def test_where_nothing_can_be_kept_a_folder_for_the_process_serves(tmp_path):
    """With a warning that names the remedy; the result is the same."""
    (tmp_path / "file").write_text("")
    code, lines = run(tmp_path / "file" / "cache")
    value, warned, folder = lines[0].split()
    assert (code, value, warned) == (0, "10.0", "1")
    assert "CHAINRULE_CACHE" in lines[1]
    assert Path(folder) != tmp_path / "file" / "cache"


@posix
@pytest.mark.skipif(os.name == "posix" and os.getuid() == 0, reason="root can write anywhere")
def test_a_read_only_folder_is_left_alone(tmp_path):
    """As above, for a folder that is there and cannot be written."""
    tmp_path.chmod(0o500)
    code, lines = run(tmp_path)
    assert (code, lines[0].split()[:2]) == (0, ["10.0", "1"])


@posix
def test_without_a_home_the_same_folder_serves():
    """Nor does anything need the package's own folder, or Numba's."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CHAINRULE_CACHE", "HOME")}
    environment |= {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, timeout=120
    )
    value, warned, folder = done.stdout.splitlines()[0].split()
    assert (value, warned) == ("10.0", "1")
    assert not Path(folder).exists()


def test_two_processes_may_fill_the_folder_at_once(tmp_path):
    """Files appear whole or not at all."""
    environment = {**os.environ, "CHAINRULE_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]


def test_another_version_of_the_generator_finds_other_files(tmp_path):
    """Every module that takes part in generating counts, however deep it lies."""
    package = tmp_path / "chainrule"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(chainrule.__file__).parent, package, ignore=ignored)
    deep = package / "derivations" / "output_forms" / "_elimination.py"

    def digest() -> str:
        place = package / "kernels" / "compiling" / "_compile.py"
        specification = importlib.util.spec_from_file_location("another_version", place)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module.generator_digest()

    before = digest()
    assert digest() == before
    deep.write_text(deep.read_text() + "\n# changed\n")
    assert digest() != before


def test_compiled_code_watches_files_of_which_it_has_only_numbers():
    """Places in memory that moved would be read where they were."""
    watched = [name for name, *_ in _native._stamps(_tiles.__name__)]
    assert "chainrule.kernels.running._plan" in watched
    assert "chainrule.kernels.running._places" in watched


def test_who_looks_at_a_terminal_is_told_why_nothing_happens(tmp_path, monkeypatch):
    """Once, where loops are compiled; logs and pipes stay as they are."""
    for is_terminal in (False, True):
        written = io.StringIO()
        monkeypatch.setattr(written, "isatty", lambda answer=is_terminal: answer)
        monkeypatch.setattr(sys, "stderr", written)
        _native._tell.cache_clear()
        code = _native._KeptCode(tmp_path, "loops", "stamp", _native._tell)
        assert code.load("signature") is None
        assert code.load("another") is None
        assert written.getvalue().count("compiling for this machine") == is_terminal
    code.save("signature", "kept")
    written.truncate(0)
    _native._tell.cache_clear()
    assert code.load("signature") == "kept"
    assert not written.getvalue()
