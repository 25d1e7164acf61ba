"""Where workloads come from: shipped ones, modules that the installation names, files in a folder, allowed programs.

A source that cannot be imported, or that breaks the contract, becomes an entry with its error; the others
stand.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tuning.training.digests import PatternError, data_digest, file_digest, source_digest
from tuning.training.entry import Entry, entries_of, failure, program_entry
from tuning.training.programs import Program, read_programs
from tuning.training.workload import Workload

SHIPPED = "tuning.training.workloads"


class UnknownWorkload(LookupError):
    """No source has a working workload of that name."""


@dataclass(frozen=True)
class Sources:
    """Where to look besides the shipped workloads.

    Attributes:
        modules: importable names.
        folder: its *.py files are workloads, except those that begin with "_", which the others may import.
        data_dir: what workloads read from.
        programs: the administrator's file of allowed programs; it need not exist.
    """

    modules: tuple[str, ...] = ()
    folder: Path | None = None
    data_dir: Path | None = None
    programs: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Sources:
        """Read HPWEB_WORKLOADS (names, comma separated), HPWEB_WORKLOAD_DIR, HPWEB_DATA_DIR and HPWEB_PROGRAMS."""
        modules = (name.strip() for name in environment.get("HPWEB_WORKLOADS", "").split(","))
        folder, data_dir = environment.get("HPWEB_WORKLOAD_DIR"), environment.get("HPWEB_DATA_DIR")
        programs = environment.get("HPWEB_PROGRAMS")
        return cls(
            modules=tuple(name for name in modules if name),
            folder=Path(folder) if folder else None,
            data_dir=Path(data_dir) if data_dir else None,
            programs=Path(programs) if programs else None,
        )


class Catalogue:
    """All workloads of the installation; files that changed since the last look are loaded again."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._loaded: dict[Path, tuple[str, list[Entry]]] = {}
        self._modules: dict[str, tuple[str, list[Entry]]] = {}
        self._homes: dict[str, str] = {}

    def entries(
        self,
        *,
        given_up: Mapping[str, str] | None = None,
        looking: Callable[[str], None] = lambda source: None,
        found: Callable[[list[Entry]], None] = lambda entries: None,
    ) -> list[Entry]:
        """Return every workload and every failure, the shipped ones first.

        Args:
            given_up: sources that are not to be loaded, because they would hang or end this process, and why.
            looking: is told each source before it is loaded.
            found: is told what a source has once it is loaded.
        """
        given_up, seen = given_up or {}, list[Entry]()
        for source, load in self._sources():
            if source in given_up:
                entries = [failure(source, source, "", given_up[source])]
            else:
                looking(source)
                entries = [self._with_data(entry) for entry in load()]
            found(entries)
            seen += entries
        return _without_duplicates(seen)

    def find(self, name: str, source: str = "") -> Entry:
        """Return the working entry of that name; sources behind the one that has it are not even loaded.

        `source` says where it was seen last (an entry's source), and is looked into first, now and from then on:
        what breaks in other sources is none of this one's business.

        Raises:
            UnknownWorkload: there is none; the message says which there are and what is wrong elsewhere.
        """
        if source:
            self._homes[name] = source
        home, seen = self._homes.get(name), []
        for entry in self._found(home):
            if entry.name == name and entry.error is None:
                return entry
            seen.append(entry)
        names = ", ".join(entry.name for entry in seen if entry.error is None)
        failures = "".join(f"\n{entry.name}: {entry.error}" for entry in seen if entry.error is not None)
        raise UnknownWorkload(f"there is no workload {name!r}; there are {names}.{failures}")

    def make(self, name: str) -> Workload:
        """Return an instance of the PyTorch workload of that name.

        Raises:
            UnknownWorkload: there is none, or it is an objective function or a program.
        """
        entry = self.find(name)
        if entry.workload is None:
            what = "a program" if entry.program is not None else "an objective function"
            raise UnknownWorkload(f"{name!r} is {what}, not a PyTorch workload")
        return entry.workload(self.sources.data_dir)

    def program(self, name: str) -> Program:
        """Return the allowed program of that name as the host's file says now; nothing else is loaded.

        Raises:
            UnknownWorkload: there is none; the message says what is wrong.
        """
        path = self.sources.programs
        wrong = ""
        for found in read_programs(path) if path is not None else ():
            if isinstance(found, Program):
                if found.name == name:
                    return found
            elif path is not None and found.name in (name, path.name):
                wrong = f": {found}"
        raise UnknownWorkload(f"this host's administrator allows no program {name!r}{wrong}")

    def digest_of(self, name: str, kind: str) -> str:
        """The digest of what this host has under that name; "" where it has nothing that works."""
        try:
            return self.program(name).digest if kind == "command" else self.find(name).digest
        except UnknownWorkload:
            return ""

    def files_digest(self, name: str, kind: str) -> str:
        """The fingerprint of the files that a program or a function names as its data; "" where it names none.

        Raises:
            PatternError: they cannot be read.
            UnknownWorkload: there is no such program or function.
        """
        return self.program(name).data_digest if kind == "command" else self._data_of(self.find(name))

    def _data_of(self, entry: Entry) -> str:
        if not entry.data or entry.objective is None:
            return entry.data_digest
        beside = Path(inspect.getfile(entry.objective)).parent
        return data_digest(self.sources.data_dir or beside, entry.data)

    def _with_data(self, entry: Entry) -> Entry:
        try:
            return replace(entry, data_digest=self._data_of(entry))
        except PatternError as error:
            return replace(failure(entry.name, entry.source, entry.digest, f"DATA: {error}"), kind=entry.kind)

    def _found(self, home: str | None) -> Iterator[Entry]:
        for _source, load in sorted(self._sources(), key=lambda pair: pair[0] != home):
            yield from load()

    def _sources(self) -> Iterator[tuple[str, Callable[[], Iterable[Entry]]]]:
        """Every source by the name that its entries tell, and how it is loaded; none is loaded by this."""
        package = importlib.import_module(SHIPPED)
        shipped = sorted(f"{SHIPPED}.{info.name}" for info in pkgutil.iter_modules(package.__path__))
        for name in (*shipped, *self.sources.modules):
            yield name, partial(self._from_module, name)
        yield from self._files()
        if (programs := self.sources.programs) is not None:
            yield programs.name, partial(self._from_programs, programs)

    def _from_programs(self, path: Path) -> Iterator[Entry]:
        for found in read_programs(path):
            if isinstance(found, Program):
                yield program_entry(found, path.name)
            else:
                name = found.name if found.name == path.name else f"{path.name}:{found.name}"
                yield replace(failure(name, path.name, "", str(found)), kind="command")

    def _from_module(self, name: str) -> list[Entry]:
        digest = ""
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
                digest = file_digest(Path(spec.origin))
            known = self._modules.get(name)
            if known is not None and known[0] == digest:
                return known[1]
            if known is not None:  # the file was changed since this process imported it
                sys.modules.pop(name, None)
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            return [failure(name, name, digest, _short_traceback(error))]
        entries = entries_of(module, source=name, stem=name.rpartition(".")[2], digest=digest)
        self._modules[name] = (digest, entries)
        return entries

    def _files(self) -> Iterator[tuple[str, Callable[[], Iterable[Entry]]]]:
        folder = self.sources.folder
        if folder is None:
            return
        if not folder.is_dir():
            text = f"HPWEB_WORKLOAD_DIR names {folder}, which is not a folder; create it or correct the variable"
            missing = [failure(folder.name, str(folder), "", text)]
            yield str(folder), lambda: missing
            return
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield path.name, partial(self._from_file, path)

    def _from_file(self, path: Path) -> list[Entry]:
        try:
            digest = source_digest(path, path.parent)
        except OSError as error:
            return [failure(path.name, path.name, "", f"the file cannot be read: {error}")]
        known = self._loaded.get(path)
        if known is None or known[0] != digest:
            if known is not None:
                _forget_imports(path.parent)
            known = self._loaded[path] = (digest, self._load(path, digest))
        return known[1]

    def _load(self, path: Path, digest: str) -> list[Entry]:
        name = f"hpweb_workload_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            return [failure(path.name, path.name, digest, "the file is not a Python module")]
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look their module up there
        try:
            # From the text and not from a cached .pyc, whose one-second stamp misses a quick second edit.
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            return [failure(path.name, path.name, digest, _short_traceback(error))]
        return entries_of(module, source=path.name, stem=path.stem, digest=digest)


def _without_duplicates(entries: list[Entry]) -> list[Entry]:
    """Keep the first of each name; a later one becomes an error under its source's name."""
    first: dict[str, Entry] = {}
    unique = []
    for entry in entries:
        earlier = first.setdefault(entry.name, entry)
        if earlier is not entry:
            text = f"the name {entry.name!r} is taken by {earlier.source}; give this one another"
            label, count = f"{entry.source}:{entry.name}", 2
            while label in first:
                label, count = f"{entry.source}:{entry.name}:{count}", count + 1
            entry = replace(failure(label, entry.source, entry.digest, text), title=entry.title)
            first[label] = entry
        unique.append(entry)
    return unique


def _short_traceback(error: BaseException) -> str:
    """Return the error and the frames of the user's own code, without those of the import machinery."""
    report = traceback.TracebackException.from_exception(error)
    hidden = (__file__, importlib.__file__)
    frames = [f for f in report.stack if f.filename not in hidden and not f.filename.startswith("<frozen importlib")]
    report.stack = traceback.StackSummary.from_list(frames[-3:])
    return "".join(report.format(chain=False)).strip()


def _forget_imports(folder: Path) -> None:
    """Let what a changed file imports from its folder be read anew as well."""
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin and not name.startswith("hpweb_workload_") and Path(origin).is_relative_to(folder):
            del sys.modules[name]
    importlib.invalidate_caches()
