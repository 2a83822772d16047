"""Plays the part of a Deployment: replaces instances one by one, never without a ready one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .balancer import READY, Balancer
from .instance import Instance
from .schedule import Disturbance, RollOut

_PATIENCE = 60.0
"""Seconds; a bound, never a measure."""


@dataclass(kw_only=True)
class Life:
    """One instance, and when it could serve: by the clock of this machine, which is the server's too."""

    instance: Instance
    told_to_end: float | None = None
    """When it was told to end, or killed; until just before then it may have served."""
    refused: bool = False
    """Whether it said that it cannot serve."""
    crashed: bool = False
    """Whether it ended without having been told to."""


@dataclass(kw_only=True)
class Deployment:
    """The instances of one application behind one balancer."""

    start: Callable[[int], Instance]
    """Starts an instance of a release."""
    balancer: Balancer
    replicas: int
    lives: list[Life] = field(default_factory=list)
    """Every instance that ever was."""
    stalled: list[int] = field(default_factory=list)
    """The releases that were refused, or crashed, and not rolled out."""
    current: int = 0
    """The release that was rolled out last."""
    _wanted: dict[int, int] = field(default_factory=dict)
    """Release -> how many instances of it there should be now."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, release: int) -> None:
        """Start the first instances."""
        self.current = release
        self._wanted = {release: self.replicas}
        for life in [self._add(release) for _ in range(self.replicas)]:
            assert self._await(life), f"{life.instance.name} did not become ready"

    def roll(self, roll: RollOut) -> None:
        """Roll a release out; back to the one before where it is refused, or is to be interrupted."""
        over = threading.Event()
        disturber = threading.Thread(target=self._disturb, args=(roll.disturbances, over), daemon=True)
        disturber.start()
        before = self.current
        try:
            if before == roll.release:  # it is there already, since the one after it was refused
                return
            done = self._replace(before, roll.release, roll.surge, half_way=roll.interrupted)
            if done and not roll.interrupted:
                self.current = roll.release
            else:
                if not done:
                    self.stalled.append(roll.release)
                if not self._replace(roll.release, before, roll.surge):
                    self.stalled.append(before)
                    self.current = roll.release
        finally:
            over.set()
            disturber.join()
            self._settle()
            time.sleep(roll.rest)

    def end(self) -> None:
        """End every instance."""
        for life in self._alive():
            self._retire(life)

    def _replace(self, old: int, new: int, surge: int, *, half_way: bool = False) -> bool:
        """Instances of one release by those of another; False where a new one cannot serve."""
        goal = max(1, self.replicas // 2) if half_way else self.replicas
        deadline = time.monotonic() + 2 * _PATIENCE
        while self._count(new) < goal or (not half_way and self._count(old)):
            assert time.monotonic() < deadline, f"release {new} is not rolled out"
            if new in self._heal():
                self._wanted.pop(new, None)
                return False
            for _ in range(min(surge, goal - self._count(new))):
                self._add(new)
            with self._lock:
                self._wanted[new] = self._count(new)
            for life in self._of(new):
                if not self._await(life) and (life.refused or life.crashed):
                    self._wanted.pop(new, None)
                    return False
            for life in self._of(old):
                # none of those that serve before there are more than are wanted
                serves = self.balancer.state(life.instance) == READY
                if not serves or len(self.balancer.ready()) > self.replicas:
                    with self._lock:
                        self._wanted[old] = self._wanted.get(old, 1) - 1
                    self._retire(life)
        return True

    def _settle(self) -> None:
        """What a roll-out leaves: as many ready instances of the current release as are wanted."""
        with self._lock:
            self._wanted = {self.current: self.replicas}
        self._heal()
        for life in self._of(self.current):
            self._await(life)
        others = [life for life in self._alive() if life.instance.release != self.current]
        for life in (*others, *self._of(self.current)[self.replicas :]):
            self._retire(life)

    def _heal(self) -> set[int]:
        """Start another one for each that has gone, as a ReplicaSet does; the crashed ones' releases."""
        crashed = set()
        with self._lock:
            for life in self.lives:
                if life.told_to_end is None and not life.instance.running:
                    life.told_to_end, life.crashed = time.time(), True
                    self.balancer.remove(life.instance)
                    crashed.add(life.instance.release)
            for release, wanted in self._wanted.items():
                for _ in range(wanted - self._count(release)):
                    self._add(release)
        return crashed

    def _add(self, release: int) -> Life:
        with self._lock:
            life = Life(instance=self.start(release))
            self.lives.append(life)
            self.balancer.add(life.instance)
            return life

    def _await(self, life: Life) -> bool:
        """Wait until an instance is ready; False where it cannot be, or has gone."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if life.told_to_end is not None:
                return False
            if not life.instance.running:
                life.crashed = True
                life.told_to_end = time.time()
                self.balancer.remove(life.instance)
                return False
            state = self.balancer.state(life.instance)
            if state == READY:
                return True
            if state == "failed":
                life.refused = True
                self._retire(life)
                return False
            time.sleep(0.03)
        raise AssertionError(
            f"{life.instance.name} is neither ready nor failed: {self.balancer.state(life.instance)}"
        )

    def _retire(self, life: Life) -> None:
        """Take it from the balancer, tell it to end, wait."""
        self.balancer.remove(life.instance)
        with self._lock:
            if life.told_to_end is None:
                life.told_to_end = time.time()
        life.instance.send(signal.SIGTERM)
        if not life.instance.wait(_PATIENCE):
            life.instance.send(signal.SIGKILL)
            raise AssertionError(f"{life.instance.name} did not end after SIGTERM")

    def _alive(self) -> list[Life]:
        with self._lock:
            return [life for life in self.lives if life.told_to_end is None]

    def _count(self, release: int) -> int:
        return len(self._of(release))

    def _of(self, release: int) -> list[Life]:
        return [life for life in self._alive() if life.instance.release == release]

    def _disturb(self, disturbances: tuple[Disturbance, ...], over: threading.Event) -> None:
        began = time.monotonic()
        for disturbance in disturbances:
            if over.wait(max(0.0, began + disturbance.at - time.monotonic())):
                return
            with self._lock:
                ready = self.balancer.ready()
                alive = self._alive()
                if not alive:
                    continue
                if disturbance.deed == "scale_up":
                    oldest = min(life.instance.release for life in alive)
                    self._wanted[oldest] = self._wanted.get(oldest, 0) + 1
                    self._add(oldest)
                    continue
                life = alive[int(disturbance.pick * len(alive))]
                if not any(other is not life.instance for other in ready):
                    continue  # the last one that serves
                life.told_to_end = time.time()
                number = signal.SIGKILL if disturbance.deed == "kill" else signal.SIGTERM
                life.instance.send(number)
            if disturbance.deed == "term":
                self.balancer.drop(life.instance)
            life.instance.wait(_PATIENCE)
            self.balancer.remove(life.instance)
