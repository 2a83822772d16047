"""The page about hosting packages: its settings are used, its modules imported, its commands run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from corehost.core.mounts import as_mounts
from support.packages import create_table, revision_source, write_plugin
from support.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "hosting-packages.md").read_text()
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = {
    *("migrations", "schema", "version_table", "recursive", "requires", "after", "target", "extensions"),
    *("metadata", "preload", "x_arguments", "options", "bootstrap"),
}
MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData(naming_convention={"pk": "pk_%(table_name)s"})
sa.Table("pages", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
SIGHT = """\
assert context.get_x_argument(as_dictionary=True)["srid"] == "2154"
assert context.config.get_main_option("flavour") == "plain"
assert op.get_context().opts["target_metadata"].naming_convention["pk"]
op.create_table("entries", sa.Column("id", sa.Integer, primary_key=True))
"""
APPLICATION = """\
from contextlib import contextmanager

entered = []


class Application:
    @contextmanager
    def app_context(self):
        entered.append(self)
        yield
        entered.pop()


create_app = Application
"""


def blocks(language: str) -> list[str]:
    """The page's code blocks in a language, in their order."""
    return [text for name, text in _FENCE.findall(PAGE) if name == language]


@pytest.fixture
def hosted(shop: Shop) -> Shop:
    """A host with the packages that the page speaks of, and the page's own modules."""
    site = shop.site
    pages = revision_source("w1", upgrade=create_table("pages"))
    write_plugin(
        site,
        "wiki",
        revisions={"w1": pages, "w2": revision_source("w2", "w1")},
        files={"models.py": MODELS},
        entry_points={"wiki.alembic": {"wiki-pages": "wiki:migrations"}},
    )
    sight = revision_source("g1", upgrade=SIGHT, head="from alembic import context")
    nested = {"old/g1": sight, "new/g2": revision_source("g2", "g1")}
    files = {f"db/migrations/versions/{name}.py": text for name, text in nested.items()}
    write_plugin(site, "guestbook", files={**files, "models.py": MODELS, "types.py": ""})
    seen = f"from blog.application import entered\nassert entered\n{create_table('posts')}"
    write_plugin(
        site,
        "blog",
        revisions={"b1": revision_source("b1", upgrade=seen)},
        files={"application.py": APPLICATION},
    )
    for text in blocks("python"):
        (site / text.splitlines()[0].removeprefix("# ")).write_text(text)
    return shop


def test_every_block_is_of_a_kind_that_is_run() -> None:
    """No code block escapes these tests."""
    assert {name for name, _ in _FENCE.findall(PAGE)} == {"console", "python", "toml"}
    assert all(re.match(r"# \w+\.py\n", text) for text in blocks("python"))
    assert all(line.startswith("$ corehost ") for text in blocks("console") for line in text.splitlines())


def test_every_key_of_a_mount_is_there() -> None:
    """The page's mounts use each key that there is, and no other."""
    tables = [table for text in blocks("toml") for table in tomllib.loads(text)["mounts"].values()]
    assert {key for table in tables for key in table} == KEYS
    as_mounts("mounts", {f"m{index}": table for index, table in enumerate(tables)})


@pytest.mark.parametrize("settings", blocks("toml"))
def test_settings_host_the_packages(hosted: Shop, settings: str) -> None:
    """With each block as corehost.toml a pass ends well, and nothing is pending afterwards."""
    (hosted.folder / "corehost.toml").write_text(settings)
    extra = {"COREHOST_MIGRATION_GROUPS": ""} if "migration_groups" in settings else {}
    finished = hosted.run("migrate", extra=extra)
    assert finished.returncode == 0, finished.stderr
    assert hosted.run("check", extra=extra).returncode == 0


def test_commands_run(hosted: Shop) -> None:
    """The commands, one after the other, end with the codes that they announce."""
    (hosted.folder / "corehost.toml").write_text(blocks("toml")[0])
    hosted.execute(
        "CREATE SCHEMA wiki; CREATE TABLE wiki.pages (id int);"
        "CREATE TABLE public.alembic_version (version_num text);"
        "INSERT INTO public.alembic_version VALUES ('w1')"
    )
    lines = [line.removeprefix("$ corehost ") for text in blocks("console") for line in text.splitlines()]
    for line in lines:
        code = int(match[1]) if (match := re.search(r"# exit (\d+)", line)) else 0
        finished = hosted.run(*shlex.split(line, comments=True))
        assert finished.returncode == code, f"{line}\n{finished.stdout}\n{finished.stderr}"


def test_edge_of_the_host_counts(hosted: Shop) -> None:
    """What the page says of extra_edges: the first comes after the second."""
    (settings,) = (text for text in blocks("toml") if "extra_edges" in text)
    (hosted.folder / "corehost.toml").write_text(settings)
    steps = [step["revision"] for step in hosted.run("plan", "--json").json()["steps"]]
    assert steps.index("w1") < steps.index("g2")
