"""A disk that is full, read-only, or has a file in the way: one sentence, and the same command goes on afterwards."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sokrates import jsonl, models, oak
from sokrates.cli import main
from sokrates.disk import Writing, explain
from sokrates.errors import SokratesError
from tests.test_killed_loop import contents, stamps
from tests.test_oak import SMALL, new_run


class Disk:
    """A file system of its own in memory, of so many KiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def remount(self, *options: str) -> None:
        subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    """One of 64 KiB. Skipped where mounting is not permitted."""
    made = Disk(tmp_path / "disk")
    made.folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("there is no program `mount`")
    if (done := made.mount("size=64k")).returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")
    yield made
    subprocess.run(["umount", "-l", str(made.folder)], check=True)


def refused(*command: object) -> str:
    """What the program says of a command that it cannot do: one line, no traceback, exit status 2."""
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit) and "Traceback" not in result.output
    return result.output.splitlines()[-1]


def loop(folder: Path, *more: str) -> list[str]:
    return ["loop", "--model", "embedded", *SMALL, "oak_loop.baselines=[]", f"oak_loop.output={folder}", *more]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_errors_after_which_the_same_command_goes_on(number):
    text = explain(OSError(number, os.strerror(number), "out/file"))
    assert text.startswith("out/file: ") and text.endswith("the same command goes on where it stopped")


def test_other_errors_are_told_as_they_come():
    assert explain(OSError(errno.EROFS, "x", "a/b")) == "a/b: the disk can only be read. Give a path on another one"
    assert explain(FileNotFoundError(errno.ENOENT, "No such file", "a/b")) == "[Errno 2] No such file: 'a/b'"
    assert explain(OSError(errno.ENOSPC, "x")).startswith("output: the disk is full")


def test_every_way_of_writing_says_that_the_disk_is_full(disk):
    import torch
    from safetensors.torch import save_file

    tensors = {"a": torch.zeros(100_000)}
    tokenizer = models.load_tokenizer("embedded")
    (disk.folder / "there").write_bytes(bytes(32 << 10))
    ways = {
        "python": lambda path: path.write_bytes(bytes(1 << 20)),
        "safetensors": lambda path: save_file(tensors, path),
        "torch": lambda path: torch.save(tensors, path),
        "tokenizers": lambda path: tokenizer.save_pretrained(path),
    }
    for name, write in ways.items():
        path = disk.folder / name
        with pytest.raises(OSError) as caught, Writing(path):
            write(path)
        assert (caught.value.errno, str(caught.value.filename)) == (errno.ENOSPC, str(path)), name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert [path.name for path in disk.folder.iterdir()] == ["there"]


def test_writing_leaves_other_errors_alone():
    with pytest.raises(RuntimeError, match="a bug"), Writing("x"):
        raise RuntimeError("a bug")
    with pytest.raises(FileNotFoundError) as caught, Writing("x"):
        Path("not/there").read_text()
    assert caught.value.filename == "not/there"


def test_a_file_that_does_not_fit_gives_its_room_back_and_the_old_one_stays(disk):
    file = disk.folder / "records.jsonl"
    jsonl.write(file, ["old"])
    with pytest.raises(OSError) as caught:
        jsonl.write(file, ["new" * 1000] * 1000)
    assert caught.value.filename == str(file)
    assert list(jsonl.read(file, str)) == ["old"]
    assert [path.name for path in disk.folder.iterdir()] == ["records.jsonl"]


def test_a_stage_on_a_full_disk_goes_on_when_there_is_room(disk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["data", "generate", "--num-problems", "60", "--output", "problems.jsonl"])
    command = ["validate", "problems.jsonl", "--workers", "1", "--output"]
    text = refused(*command, disk.folder / "out")
    assert text.startswith(f"Error: {disk.folder}/out/") and "the disk is full. Make room: " in text
    disk.remount("size=4m")
    for folder in (disk.folder / "out", tmp_path / "whole"):
        assert CliRunner().invoke(main, [*command, str(folder)]).exit_code == 0
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {path.name for path in (disk.folder / "out").iterdir()} == names
    for name in names - {"summary.json"}:
        assert (disk.folder / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_disk_that_can_only_be_read(disk):
    (disk.folder / "run").mkdir()
    disk.remount("ro")
    assert refused(*loop(disk.folder / "new")) == (
        f"Error: {disk.folder}/new: the disk can only be read. Give a path on another one"
    )
    assert "the disk can only be read" in refused(*loop(disk.folder / "run"))


def test_a_file_where_a_folder_is_to_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert f"{tmp_path}/file/run: a file stands where this path needs a folder" in refused(*loop(tmp_path / "file/run"))
    assert f"{tmp_path}/file: a file of this name stands where" in refused(*loop(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_that_grows_beyond_its_limit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sokrates", "data", "generate", "--num-problems", "50", "--output", "problems.jsonl"],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("the same command goes on where it stopped\n") and "(`ulimit -f`)" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", r"stage\.json: not what this version of the program writes there: Expected `object`, got `array`"),
        ('{"sft": {"gone": 3}}', r"sft\.gone was 3, which is no setting of this version.*--redo.*another --output"),
        ('{"model": "embedded"}', r"dpo\.beta is 0\.1, which was no setting of the version that began it"),
        ("{", r"stage\.json: .* truncated"),
    ],
)
def test_a_run_folder_of_another_version(tmp_path, content, message):
    folder = tmp_path / "run"
    (folder / "sft").mkdir(parents=True)
    (folder / "stage.json").write_text(content)
    with pytest.raises(SokratesError, match=message), new_run(folder).begun(oak.keep):
        pass
    assert (folder / "stage.json").read_text() == content and (folder / "sft").is_dir()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_loop_on_a_disk_that_is_full_again_and_again_equals_one_with_room(disk, tmp_path, monkeypatch):
    """From a disk on which the problems do not fit to one on which all does: checkpoints are in it, and adapters."""
    (tmp_path / "whole").mkdir()
    monkeypatch.chdir(tmp_path / "whole")  # traces name their adapter by its path
    assert CliRunner().invoke(main, loop(Path("run"))).exit_code == 0
    monkeypatch.chdir(disk.folder)
    done: dict[str, int] = {}
    ended = []
    for size in (8, 60, 200, 800, 1200, 1700, 2400, 2800, 8000):
        disk.remount(f"size={size}k")
        result = CliRunner().invoke(main, loop(Path("run")))
        ended.append(result.exit_code)
        assert "Traceback" not in result.output and isinstance(result.exception, SystemExit | None), result.output
        assert result.exit_code == 0 or "the disk is full. Make room" in result.output
        after = stamps(disk.folder)
        assert done.items() <= after.items(), "a finished stage was done again"
        done = after
    assert ended[:6] == [2] * 6 and ended[-1] == 0
    expected, found = contents(tmp_path / "whole"), contents(disk.folder)
    assert len(expected) > 15 and found == expected
    assert not list(disk.folder.rglob("*.partial"))
