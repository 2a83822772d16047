"""Reading a header gives what executing the file would give, by whichever way it is read."""

from __future__ import annotations

import logging
import subprocess
import sys
import types
import warnings

import pytest
from hypothesis import HealthCheck, given, settings

from corehost.alembic.headers import parsed_header, read_header
from corehost.alembic.pattern import HEAD, Header, scan
from corehost.alembic.possessive import compiled, compiled_as_atomic
from corehost.core.errors import RevisionFileError
from support.odd_headers import NAMES, sources
from support.revision_files import WHERE, MakeBranch, Write

REFUSED = "refused"
RAISES = "\nraise RuntimeError('executed')\n"

generated = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def tree(source: bytes) -> Header | str | None:
    """The header by syntax tree; None where it is computed."""
    try:
        return parsed_header(source, WHERE)
    except RevisionFileError:
        return REFUSED


def execution(source: bytes) -> Header | str | None:
    """The header by executing the source here; None where that raises."""
    module = types.ModuleType("generated")
    sys.modules["generated"] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "generated.py", "exec", dont_inherit=True), module.__dict__)
        found = {name: getattr(module, name) for name in NAMES if hasattr(module, name)}
    except Exception:
        return None
    finally:
        del sys.modules["generated"]
    try:
        return Header(
            as_text(found["revision"]) if "revision" in found else None,
            as_texts(found["down_revision"]) if "down_revision" in found else None,
            as_texts(found.get("depends_on")),
            as_texts(found.get("branch_labels")),
            (module.__doc__ or "").strip().partition("\n")[0].rstrip(),
        )
    except TypeError:
        return REFUSED


def as_text(value: object) -> str:
    """A text; raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError
    return value


def as_texts(value: object) -> tuple[str, ...]:
    """What Alembic takes for several texts; raises TypeError for anything else."""
    if value in (None, (None,), [None]):
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, tuple | list | set):
        raise TypeError
    return tuple(map(as_text, sorted(value) if isinstance(value, set) else value))


AS_ATOMIC = compiled_as_atomic(HEAD)


def compiles(source: bytes) -> bool:
    """Whether the source is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "generated.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


@generated
@given(sources)
def test_the_pattern_is_unsure_or_says_what_the_syntax_tree_says(source: bytes) -> None:
    """For any source that is Python, the pattern's header is the tree's."""
    if compiles(source) and (header := scan(source)) is not None:
        assert header == tree(source)


@generated
@given(sources)
def test_the_pattern_says_the_same_without_possessive_repetitions(source: bytes) -> None:
    """As it is compiled for the first Pythons 3.11, which have them wrong."""
    plain, atomic = compiled(HEAD).match(source), AS_ATOMIC.match(source)
    assert plain is not None
    assert atomic is not None
    assert (atomic.span(), atomic.groups()) == (plain.span(), plain.groups())


@generated
@given(sources)
def test_the_syntax_tree_is_unsure_or_says_what_execution_says(source: bytes) -> None:
    """For any source that can be executed, the tree's header is the module's."""
    if (told := execution(source)) is not None and (header := tree(source)) is not None:
        assert header == told


@pytest.mark.parametrize(
    "source",
    [
        "revision = 'r'\ndown_revision = 'd'\n",
        'revision: str = "r"\ndown_revision: Union[str, Sequence[str], None] = "d"\n',
        "# it's\nfrom a import (\n    b,  # c\n    d as e,\n)\nrevision = 'r'  # q\ndown_revision = ('d',)\n",
        '"""Doc."""\nrevision = "r"\ndown_revision = [\n    "d",\n]\nfrom alembic import op\n',
        "\ufeff# -*- coding: utf-8 -*-\r\nrevision = 'r'\r\ndown_revision = u'd'\r\n",
        "import os\n'''Not a docstring: revision = 'x'\n'''\nrevision = 'r'\ndown_revision = 'd'",
        "revision = 'x'\nrevision = 'r'\ndown_revision = None\ndown_revision = 'd'\n",
        "revision = 'r'\ndown_revision = 'd'\n\n\ndef upgrade() -> None:\n    revision = 1\n",
        "revision = 'r'\ndown_revision = 'd'\nTABLE = 'revision'\nCOLUMN = 'revision_id'\n",
    ],
)
def test_the_pattern_reads_what_is_usual(source: str) -> None:
    """The usual forms, among comments, imports and texts, are read by the one expression."""
    header = scan(source.encode())
    assert header is not None
    assert (header.revision, header.down_revision) == ("r", ("d",))


@pytest.mark.parametrize(
    "source",
    [
        "revision = 'r'\ndown_revision = 'd'\nrevision += 'x'\n",
        "revision = 'r'\ndown_revision = 'd'\nif x:\n    depends_on = 'y'\n",
        "revision = 'r'\ndown_revision = 'd'\nfrom header import *\n",
        "revision = 'r'\ndown_revision = 'd'\nfrom header import revision\n",
        "revision = 'r'\ndown_revision = 'd'\nglobals().update(header)\n",
        "revision = 'r'\ndown_revision = ['d']\ndown_revision.append('e')\n",
        "revision = 'r'\ndown_revision = 'd'\n\frevision = 'x'\n",
        "revision = 'r'\ndown_revision = 'd'\n\uff52evision = 'x'\n",
        "# coding: cp1252\nrevision = 'r'\ndown_revision = 'd'\n",
        "x = '''\nrevision = 'r'\ndown_revision = 'd'\n'''\n",
        "def f():\n    revision = 'r'\n    down_revision = 'd'\n",
        "revision = 'r' 's'\ndown_revision = 'd'\n",
        "revision = 'r\\x41'\ndown_revision = 'd'\n",
        "revision = 'r'; down_revision = 'd'\n",
    ],
)
def test_the_pattern_is_unsure_of_anything_else(source: str) -> None:
    """Whatever could bind a name otherwise, or is not plain, is left to the syntax tree."""
    assert scan(source.encode()) is None


@pytest.mark.parametrize(
    "source",
    [
        "revision = down_revision = 'r'\ndown_revision = 'd'\n",
        "revision, down_revision = 'r', ('d',)\n",
        "(revision, down_revision) = ['r', 'd']\n",
        "ID = 'r'\nPARENTS = ('d',)\nrevision = ID\ndown_revision = PARENTS\n",
        "revision = ('r'\n)\ndown_revision = \\\n  'd'\n",
        "PREFIX = 'r'\nrevision = PREFIX + ''\ndown_revision = ('d',) + ()\n",
        "revision = 'r'; down_revision = {'d'}\n",
        "# coding: latin-1\nrevision = 'r'\ndown_revision = 'd'\n",
        "if 1:\n    revision = 'x'\nrevision = 'r'\ndown_revision = 'd'\n",
        "from sqlalchemy import *\nrevision = 'r'\ndown_revision = 'd'\n",
        "def f():\n    globals()['revision'] = 'x'\n\n\nrevision = 'r'\ndown_revision = 'd'\n",
        "# revision = 'x'\n(revision) = 'r'\ndown_revision: 'str' = 'd'\n",
    ],
)
def test_the_syntax_tree_reads_every_literal_form(source: str) -> None:
    """What is literal by other means than one plain assignment is read without execution."""
    header = tree(source.encode())
    assert isinstance(header, Header)
    assert (header.revision, header.down_revision) == ("r", ("d",))


@pytest.mark.parametrize(
    "source",
    [
        "revision = f'r'\ndown_revision = None\n",
        "revision = 'r'.lower()\ndown_revision = None\n",
        "if True:\n    revision = 'r'\ndown_revision = None\n",
        "from constants import revision\ndown_revision = None\n",
        "from constants import *\nrevision = 'r'\ndown_revision = None\n",
        "L = []\nL.append('d')\nrevision = 'r'\ndown_revision = L\n",
        "def set():\n    global revision\n    revision = 'r'\n\n\nset()\ndown_revision = None\n",
    ],
)
def test_the_syntax_tree_is_unsure_of_what_is_computed(source: str) -> None:
    """Only execution can tell: the tree says that it does not know."""
    assert parsed_header(source.encode(), WHERE) is None


def test_a_literal_header_is_read_without_executing_the_file(write: Write, make_branch: MakeBranch) -> None:
    """A file that raises when it is executed is read all the same."""
    path = write("a.py", "revision = 'r'\ndown_revision = None" + RAISES)
    assert read_header(str(path), make_branch()).revision == "r"


def test_a_computed_header_is_read_by_executing_the_file(write: Write, make_branch: MakeBranch) -> None:
    """Names, conditions and all: the module's attributes count."""
    path = write("a.py", "import os\nrevision = 'r' if os else 's'\ndown_revision = tuple('d')\n")
    header = read_header(str(path), make_branch())
    assert (header.revision, header.down_revision) == ("r", ("d",))


def test_an_execution_is_told_to_nobody_but_the_debug_log(
    write: Write, make_branch: MakeBranch, caplog: pytest.LogCaptureFixture
) -> None:
    """The one record is a debug record."""
    path = write("a.py", "revision = str('r')\ndown_revision = None\n")
    with caplog.at_level(logging.DEBUG, logger="corehost"):
        read_header(str(path), make_branch())
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_a_file_that_cannot_be_executed_is_refused_with_the_reason(
    write: Write, make_branch: MakeBranch
) -> None:
    """Where the header is computed and the file raises, its error is told and chained."""
    path = write("a.py", "revision = str('r')" + RAISES)
    with pytest.raises(RevisionFileError) as caught:
        read_header(str(path), make_branch())
    assert caught.value.message == "the revision file cannot be imported: RuntimeError: executed"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.where.file == str(path)


def test_reading_literal_headers_imports_neither_alembic_nor_sqlalchemy(write: Write) -> None:
    """By pattern and by syntax tree, in a process of its own."""
    plain = write("a.py")
    odd = write("b.py", "revision, down_revision = 'b', 'a1'\n")
    script = (
        "import sys\n"
        "from corehost.alembic.pattern import scan\n"
        "from corehost.alembic.headers import parsed_header\n"
        "from corehost.alembic import files, source\n"
        "from corehost.core.errors import Where\n"
        "assert scan(open(sys.argv[1], 'rb').read())\n"
        "assert parsed_header(open(sys.argv[2], 'rb').read(), Where())\n"
        "print(*({'alembic', 'sqlalchemy'} & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    command = [sys.executable, "-c", script, str(plain), str(odd)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("docstring", "message"),
    [
        ('"""Add invoices\n\nRevision ID: a1\n"""', "Add invoices"),
        ("'''\n\n  Add invoices  \nand more'''", "Add invoices"),
        ('"Add invoices"', "Add invoices"),
        ('r"""Add \\d"""', "Add \\d"),
        ('"""Füge hinzu"""', "Füge hinzu"),
        ('"""   """', ""),
        ("import os\n'''Not one'''", ""),
        ("# only a comment", ""),
    ],
)
def test_the_message_is_the_first_line_of_the_docstring(
    write: Write, make_branch: MakeBranch, docstring: str, message: str
) -> None:
    """What is not the module's docstring does not count."""
    path = write("a.py", f"{docstring}\nrevision = 'r'\ndown_revision = None\n")
    assert read_header(str(path), make_branch()).message == message


def test_a_declared_encoding_is_respected(write: Write, make_branch: MakeBranch) -> None:
    """PEP 263: the docstring is decoded as the file says."""
    source = '# coding: latin-1\n"""Füge hinzu"""\nrevision = "r"\ndown_revision = None\n'
    path = write("a.py", source.encode("latin-1"))
    assert read_header(str(path), make_branch()).message == "Füge hinzu"


def test_undecodable_bytes_are_refused(write: Write, make_branch: MakeBranch) -> None:
    """Without a declaration the file must be UTF-8."""
    path = write("a.py", b'"""F\xfcge"""\nrevision = "r"\ndown_revision = None\n')
    with pytest.raises(RevisionFileError, match="does not compile"):
        read_header(str(path), make_branch())


def test_a_set_has_the_same_order_in_every_process(write: Write, make_branch: MakeBranch) -> None:
    """The order of a set's texts follows PYTHONHASHSEED, that of its sorted texts does not."""
    path = write("a.py", "revision = 'r'\ndown_revision = {'q', 'b', 'x', 'a', 'm'}\n")
    assert read_header(str(path), make_branch()).down_revision == ("a", "b", "m", "q", "x")


@pytest.mark.parametrize("value", ["1", "b'a'", "('a', 1)", "('a', None)", "True"])
def test_a_down_revision_that_is_no_text_is_refused(
    write: Write, make_branch: MakeBranch, value: str
) -> None:
    """The error shows the value."""
    path = write("a.py", f"revision = 'r'\ndown_revision = {value}\n")
    with pytest.raises(RevisionFileError, match=r"down_revision is .*, neither None nor a str"):
        read_header(str(path), make_branch())


@pytest.mark.parametrize("value", ["None", "1", "('a',)"])
def test_a_revision_that_is_no_text_is_refused(write: Write, make_branch: MakeBranch, value: str) -> None:
    """The error shows the value."""
    path = write("a.py", f"revision = {value}\ndown_revision = None\n")
    with pytest.raises(RevisionFileError, match=r"revision is .*, not a str"):
        read_header(str(path), make_branch())
