"""Which files of a branch are its revisions, and what is refused of them."""

from __future__ import annotations

import os
import py_compile
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from corehost.alembic.files import read_tree, revision_files
from corehost.core.branch import Branch
from corehost.core.errors import AmbiguousRevisionError, RevisionFileError
from support.revision_files import MakeBranch, Write, header


def found(branch: Branch) -> list[str]:
    """The files of a branch, below its folder."""
    return [os.path.relpath(path, branch.locations[0]) for path in revision_files(branch)]


def refusal(branch: Branch) -> RevisionFileError:
    """What reading the branch is refused with."""
    with pytest.raises(RevisionFileError) as caught:
        read_tree(branch)
    return caught.value


def test_a_revision_holds_what_its_header_says(write: Write, make_branch: MakeBranch) -> None:
    """All that the header says is in the value, with the file's path."""
    path = write(
        "b2_add.py",
        '"""Add invoices\n\nRevision ID: b2\n"""\n'
        'revision: str = "b2"\ndown_revision = ("a1", "a2")\n'
        'branch_labels = ["money"]\ndepends_on = "accounts@head"\n',
    )
    (revision,) = read_tree(make_branch())
    assert revision.revision == "b2"
    assert revision.down_revision == ("a1", "a2")
    assert revision.branch_labels == ("money",)
    assert revision.depends_on == ("accounts@head",)
    assert revision.message == "Add invoices"
    assert revision.path == str(path)


def test_files_come_in_the_order_of_their_names(write: Write, make_branch: MakeBranch) -> None:
    """The order does not depend on the file system."""
    for name in ("c.py", "a.py", "b.py"):
        write(name)
    assert found(make_branch()) == ["a.py", "b.py", "c.py"]


def test_nested_folders_count_only_where_the_branch_says_so(write: Write, make_branch: MakeBranch) -> None:
    """``recursive`` decides whether folders in the folder are looked into."""
    write("2024/expand/b.py")
    write("a.py")
    assert found(make_branch()) == ["a.py"]
    assert found(make_branch(recursive=True)) == ["a.py", "2024/expand/b.py"]


def test_what_alembic_passes_over_is_passed_over(write: Write, make_branch: MakeBranch) -> None:
    """Package files, editors' lock files, caches, templates and texts are no revisions."""
    for name in ("__init__.py", "__init__x.py", ".#a.py", "__pycache__/a.py", "a.py.mako", "README", "a.sql"):
        write(name)
    assert found(make_branch(recursive=True)) == []


def test_an_editor_lock_that_is_a_dangling_link_is_passed_over(
    versions: Path, write: Write, make_branch: MakeBranch
) -> None:
    """A link to nowhere, whose target is no Python name, is no revision."""
    write("a.py")
    (versions / ".#a.py").symlink_to("somebody@host.4711:1")
    assert found(make_branch()) == ["a.py"]


def test_a_file_that_is_reached_twice_counts_once(
    versions: Path, write: Write, make_branch: MakeBranch
) -> None:
    """A link to a file of the same branch, and a location named twice, add nothing."""
    write("a.py")
    (versions / "b.py").symlink_to(versions / "a.py")
    (versions.parent / "again").symlink_to(versions)
    branch = make_branch(locations=(versions, versions.parent / "again"))
    assert found(branch) == ["a.py"]


def test_several_locations_are_read_one_after_the_other(tmp_path: Path, make_branch: MakeBranch) -> None:
    """Each folder's files stay together, in the order of the locations."""
    for folder, name in (("z", "1.py"), ("a", "2.py")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(header(name[0]))
    branch = make_branch(locations=(tmp_path / "z", tmp_path / "a"))
    assert [revision.revision for revision in read_tree(branch)] == ["1", "2"]


def test_a_compiled_file_without_source_is_a_revision(write: Write, make_branch: MakeBranch) -> None:
    """A ``.pyc`` beside the sources is read where its ``.py`` is not there."""
    source = write("a1_x.py")
    py_compile.compile(str(source), str(source) + "c")
    assert found(make_branch()) == ["a1_x.py"]
    source.unlink()
    assert [revision.revision for revision in read_tree(make_branch())] == ["a1"]


@pytest.mark.filterwarnings("ignore:File .* loaded twice")
@pytest.mark.parametrize("recursive", [False, True])
def test_alembic_itself_finds_the_same_revisions(
    versions: Path, write: Write, make_branch: MakeBranch, recursive: bool
) -> None:
    """ScriptDirectory and read_tree agree on a folder of everything that may lie in one."""
    write("0001_first.py", header("0001"))
    write("0002.py", header("0002", "0001"))
    write("abc123.py", "down_revision = None\n")
    write("sub/0003_x.py", header("0003", "0002"))
    write("sub/deeper/0004.py", header("0004", "0003"))
    write("other/0005.py", header("0005", "0002"))
    write("__init__.py", "")
    write("sub/__init__.py", "raise SystemExit\n")
    write("__pycache__/0009.py", header("0009"))
    write("script.py.mako", "${revision}")
    (versions / "linked.py").symlink_to(versions / "0001_first.py")
    (versions / "loop").symlink_to(versions)
    directory = ScriptDirectory(
        str(versions.parent), version_locations=[str(versions)], recursive_version_locations=recursive
    )
    theirs = {script.revision: str(script.path) for script in directory.walk_revisions()}
    ours = {revision.revision: revision.path for revision in read_tree(make_branch(recursive=recursive))}
    assert ours == theirs


def test_the_name_of_an_old_file_is_its_revision(write: Write, make_branch: MakeBranch) -> None:
    """A file without ``revision`` has the hexadecimal number that it is named after, as in old Alembic."""
    write("1a2b3c.py", "down_revision = None\n")
    assert [revision.revision for revision in read_tree(make_branch())] == ["1a2b3c"]


def test_a_file_without_a_revision_id_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """The error names the file and says what to do with it."""
    path = write("shared_code.py", "down_revision = None\n")
    error = refusal(make_branch())
    assert error.message == "the file has no revision id"
    assert error.where.file == str(path)
    assert error.hint is not None
    assert "move what is not a revision" in error.hint


def test_an_error_names_branch_and_distribution(write: Write, make_branch: MakeBranch) -> None:
    """Whoever reads it knows whose file it is."""
    write("x.py", "")
    where = refusal(make_branch()).where
    assert (where.branch, where.distribution, where.version) == ("billing", "acme-billing", "1.4")


def test_a_file_without_a_down_revision_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """Alembic needs it too: None must be said."""
    write("a1.py", "revision = 'a1'\n")
    assert refusal(make_branch()).message == "the file has no down_revision"


def test_an_id_in_two_files_is_refused_with_both_names(write: Write, make_branch: MakeBranch) -> None:
    """Alembic would only warn, and one file would hide the other."""
    one, two = write("a1_one.py"), write("a1_two.py")
    with pytest.raises(AmbiguousRevisionError) as caught:
        read_tree(make_branch())
    assert str(one) in caught.value.message
    assert str(two) in caught.value.message


@pytest.mark.parametrize("character", "@-+:")
def test_an_id_that_alembic_refuses_is_refused(write: Write, make_branch: MakeBranch, character: str) -> None:
    """Characters that Alembic's own notation uses cannot be in an id."""
    write("a.py", header(f"a{character}1"))
    assert refusal(make_branch()).message == (
        f"revision id 'a{character}1' has characters that Alembic refuses: {character}"
    )


def test_an_empty_id_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """An empty text is no id."""
    write("a.py", header(""))
    assert refusal(make_branch()).message == "the revision id is empty"


def test_a_revision_that_is_its_own_parent_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """The error names the revision."""
    write("a.py", header("a1", "a1"))
    error = refusal(make_branch())
    assert error.message == "revision a1 is its own down_revision"
    assert error.where.revision == "a1"


def test_a_revision_that_depends_on_itself_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """A bare id means the own branch first; the hint says how to name another branch's."""
    write("a.py", header("a1") + "depends_on = 'a1'\n")
    error = refusal(make_branch())
    assert error.message == "revision a1 depends on itself"
    assert error.hint == "write plugin@a1 for the revision of that id in another branch"


def test_an_empty_parent_is_refused(write: Write, make_branch: MakeBranch) -> None:
    """An empty text is not None."""
    write("a.py", header("a1", ""))
    assert refusal(make_branch()).message == "down_revision is an empty text"


def test_an_empty_dependency_is_none(write: Write, make_branch: MakeBranch) -> None:
    """Alembic takes an empty ``depends_on`` for none; so do we."""
    write("a.py", header("a1") + "depends_on = ''\n")
    assert read_tree(make_branch())[0].depends_on == ()


def test_a_parent_named_twice_counts_once(write: Write, make_branch: MakeBranch) -> None:
    """It does not make a merge of a revision with one parent."""
    write("b.py", "revision = 'b'\ndown_revision = ('a', 'a')\n")
    assert read_tree(make_branch())[0].down_revision == ("a",)


def test_a_file_that_cannot_be_read_is_refused(versions: Path, make_branch: MakeBranch) -> None:
    """A link to a revision that is gone is an error, not a shorter history."""
    (versions / "a1.py").symlink_to(versions / "gone.py")
    error = refusal(make_branch())
    assert error.message == "a revision file or its folder cannot be read: No such file or directory"
    assert error.where.file == str(versions / "gone.py")


def test_a_location_that_is_gone_is_refused(versions: Path, make_branch: MakeBranch) -> None:
    """A missing folder is an error, not an empty history."""
    gone = versions / "gone"
    assert refusal(make_branch(locations=(gone,))).where.file == str(gone)


def test_a_syntax_error_is_told_with_its_line(write: Write, make_branch: MakeBranch) -> None:
    """Where the syntax tree was needed, line and text are in the message."""
    write("a.py", 'revision = "a" "1"\ndown_revision = = None\n')
    message = refusal(make_branch()).message
    assert message.startswith("the revision file does not compile: line 2: ")
    assert message.endswith(": down_revision = = None")
