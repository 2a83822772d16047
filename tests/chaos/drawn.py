"""The plugins of a round: branches, schemas and revisions drawn at random, and their files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from support.packages import OWN_GROUP, revision_source, spec, write_plugin

Kind = Literal["plain", "sleep", "alter", "index", "unsafe"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One revision, and what it does beside saying that it ran."""

    branch: str
    """Its plugin."""
    revision: str
    """Its id, unique in the round."""
    down: tuple[str, ...]
    """Its down revisions."""
    needs: tuple[tuple[str, str], ...] = ()
    """What else it depends on: how that is written, and the revision that is meant."""
    all_of: str | None = None
    """A branch whose every older revision it depends on too, written ``x@head``."""
    kind: Kind = "plain"
    """``index`` builds one concurrently and may be run again after a crash; ``unsafe`` may not."""
    seconds: float = 0.0
    """How long it sleeps in the server."""
    newer: bool = False
    """Whether only the plugin's second version has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """One plugin, all versions of it."""

    name: str
    schema: str
    """Its namespace, perhaps another's too."""
    requires: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Step, ...]
    """Its revisions, each after its parents."""

    @property
    def has_newer(self) -> bool:
        """Whether there is a second version of it."""
        return any(step.newer for step in self.steps)

    @property
    def version_table(self) -> str:
        """The qualified name of its version table."""
        suffix = "" if self.schema == self.name else f"_{self.name}"
        return f"{self.schema}.alembic_version{suffix}"


def draw_plugins(random: Random) -> tuple[Sequence[Plugin], bool]:
    """Two to six plugins, and whether the orders of branches and of revisions agree.

    Where they do not, a plugin's revisions may need those of a plugin that requires it.
    """
    straight = random.random() < 0.6
    names = random.sample(
        ["ant", "bee", "cow", "dog", "elk", "fox", "gnu"], random.choice([2, 3, 3, 4, 5, 6])
    )
    steps: list[Step] = []
    for place in range(random.randint(10, 26)):
        # every branch gets one before any gets a second
        name = names[place] if place < len(names) else random.choice(names)
        others = names[: names.index(name)] if straight else [other for other in names if other != name]
        steps.append(_draw_step(random, name, place, steps, others))
    if straight and len(names) > 1 and random.random() < 0.3:
        steps.append(_draw_step(random, names[-1], len(steps), steps, [], all_of=random.choice(names[:-1])))
    for name in random.sample(names, random.choice([0, 0, 1, 1, 2])):
        others = names[: names.index(name)] if straight else [other for other in names if other != name]
        for _ in range(random.randint(1, 3)):
            steps.append(_draw_step(random, name, len(steps), steps, others, newer=True))
    plugins: list[Plugin] = []
    for name in names:
        earlier = [plugin.name for plugin in plugins]
        requires = tuple(other for other in earlier if random.random() < 0.2)
        plugins.append(
            Plugin(
                name=name,
                schema=random.choice(plugins).schema if plugins and random.random() < 0.2 else name,
                requires=requires,
                after=tuple(o for o in earlier if o not in requires and random.random() < 0.15),
                steps=tuple(step for step in steps if step.branch == name),
            )
        )
    return plugins, straight


def _draw_step(
    random: Random,
    name: str,
    place: int,
    steps: Sequence[Step],
    others: Sequence[str],
    *,
    all_of: str | None = None,
    newer: bool = False,
) -> Step:
    own = [step for step in steps if step.branch == name]
    down = _draw_down(random, own, newer=newer)
    foreign = [step for step in steps if step.branch in others and not step.newer]
    needed = random.sample(foreign, min(len(foreign), random.choice([0, 0, 0, 1, 1, 2])))
    # a second parent that is none by down_revision
    beside = [step for step in own if step.revision not in down and not newer]
    if beside and random.random() < 0.15:
        needed.append(random.choice(beside))
    kind: Kind = random.choices(("plain", "sleep", "alter", "index", "unsafe"), (5, 4, 3, 5, 0.8))[0]
    return Step(
        branch=name,
        revision=f"{name}{place:02}",
        down=down,
        needs=tuple((_written(random, step), step.revision) for step in needed),
        all_of=all_of,
        kind="plain" if kind == "alter" and not down else kind,
        seconds=round(random.uniform(0.02, 0.3), 3) if kind != "plain" else 0.0,
        newer=newer,
    )


def _draw_down(random: Random, own: Sequence[Step], *, newer: bool) -> tuple[str, ...]:
    parents = {parent for step in own for parent in step.down}
    ends = [step.revision for step in own if step.revision not in parents]
    choice = random.random()
    if not own:
        return ()
    if len(ends) > 1 and (choice < 0.4 or newer):
        return tuple(ends if newer else random.sample(ends, 2))
    if choice < 0.85 or newer:
        return (random.choice(ends),)
    return (random.choice(own).revision,) if choice < 0.97 else ()


def _written(random: Random, step: Step) -> str:
    return random.choice([step.revision, f"{step.branch}@{step.revision}"])


def closed(plugins: Sequence[Plugin], names: Iterable[str]) -> frozenset[str]:
    """These plugins and all that must be installed with them."""
    by_name = {plugin.name: plugin for plugin in plugins}
    branch_of = {step.revision: step.branch for plugin in plugins for step in plugin.steps}
    seen: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += by_name[name].requires
            for step in by_name[name].steps:
                left += [branch_of[revision] for _, revision in step.needs]
                left += [step.all_of] if step.all_of else []
    return frozenset(seen)


def write_site(site: Path, plugins: Sequence[Plugin], loadout: Mapping[str, bool]) -> None:
    """Install plugins into a folder for ``PYTHONPATH``: name -> whether in its newer version."""
    site.mkdir(parents=True)
    for plugin in plugins:
        if plugin.name in loadout:
            newer = loadout[plugin.name]
            write_plugin(
                site,
                plugin.name,
                version="2.0" if newer else "1.0",
                group=OWN_GROUP,
                spec_source=spec(
                    plugin.name, schema=plugin.schema, requires=plugin.requires, after=plugin.after
                ),
                revisions={s.revision: _source(s) for s in plugin.steps if newer or not s.newer},
            )


def _source(step: Step) -> str:
    table = f"t_{step.revision}"
    lines = [f'op.create_table({table!r}, sa.Column("id", sa.Integer, primary_key=True))']
    if step.kind == "sleep":
        lines.append(f'op.execute("SELECT pg_sleep({step.seconds})")')
    if step.kind == "alter":
        lines.append(f'op.add_column("t_{step.down[0]}", sa.Column("c_{step.revision}", sa.Integer))')
        lines.append(f'op.execute("SELECT pg_sleep({step.seconds / 4})")')
    if step.kind in ("index", "unsafe"):
        exists = "IF NOT EXISTS " if step.kind == "index" else ""
        lines = [
            f'op.execute("CREATE TABLE {exists}{table} (id integer PRIMARY KEY)")',
            "with op.get_context().autocommit_block():",
            f'    op.execute("SELECT pg_sleep({step.seconds / 2})")',
            f'    op.execute("CREATE INDEX CONCURRENTLY {exists}i_{step.revision} ON {table} (id)")',
            f'    op.execute("SELECT pg_sleep({step.seconds / 2})")',
        ]
    lines.append(f"op.execute(\"INSERT INTO public.ran VALUES ('{step.branch}', '{step.revision}')\")")
    needs = [written for written, _ in step.needs] + ([f"{step.all_of}@head"] if step.all_of else [])
    safe = {"retry_safe": True} if step.kind == "index" else {}
    return revision_source(
        step.revision,
        step.down if len(step.down) > 1 else next(iter(step.down), None),
        tuple(needs) or None,
        "\n".join(lines),
        **safe,
    )
