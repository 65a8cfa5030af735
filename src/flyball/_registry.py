"""Objects by name: from the strings, classes and configurations a user or a saved file gives, to instances.

Only classes listed in a :class:`Registry`, and those that the program itself has registered, can come out of one,
which is what makes loading a file safe.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from weakref import WeakKeyDictionary

from flyball import _checks, _own_objects

if TYPE_CHECKING:
    from collections.abc import Mapping


def parameters(cls: type) -> tuple[str, ...]:
    """Names of the arguments that the constructor of ``cls`` takes by name."""
    if cls not in _parameters:
        skip = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        named = (p.name for p in inspect.signature(cls).parameters.values() if p.kind not in skip)
        _parameters[cls] = tuple(named)
    return _parameters[cls]


_parameters: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


class Configurable:
    """An object that is described by the arguments of its constructor, each kept as an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types; nested objects as ``{"class_name", "config"}``."""
        return {name: _plain(getattr(self, name)) for name in parameters(type(self))}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an object from what :meth:`get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        """Write the constructor call."""
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in parameters(type(self)))
        return f"{type(self).__name__}({arguments})"


def serialize(item: Configurable) -> dict[str, Any]:
    """Return ``{"class_name": ..., "config": ...}``, from which the module's ``get`` makes the object again."""
    return {"class_name": _class_name(type(item)), "config": item.get_config()}


def _class_name(cls: type) -> str:
    """Return what configurations call a class; refuse one of a user's own that would come back as one of flyball's."""
    if any(registry.classes.get(cls.__name__) is cls for registry in _registries):
        return cls.__name__
    name = _own_objects.name_of(cls)
    if any(name in registry.classes for registry in _registries if issubclass(cls, registry.base)):
        expectation = "another name than flyball's, or be registered with saving.register_keras_serializable"
        msg = f"a class of one's own must have {expectation}, got {name!r}"
        raise ValueError(msg)
    return name


def _plain(value: object) -> object:
    if isinstance(value, Configurable):
        return serialize(value)
    return list(value) if isinstance(value, tuple) else value


T = TypeVar("T", bound=Configurable)


def _normalised(name: str) -> str:
    return name.replace("_", "").lower()


_registries: list[Registry[Any]] = []


class Registry(Generic[T]):
    """The classes of one kind by name, found under any usual spelling: ``he_normal``, ``HeNormal``."""

    def __init__(self, kind: str, base: type[T], names: Mapping[str, type[T]]) -> None:
        self.kind = kind
        self.base = base
        self.names = list(names)
        self.classes = {cls.__name__: cls for cls in names.values()}
        self._by_name = {_normalised(name): cls for name, cls in names.items()}
        _registries.append(self)

    def get(self, identifier: object, argument: str | None = None) -> T:
        """Return ``identifier`` itself if it is an instance, else one made from a name, a class or a configuration."""
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str) and _normalised(identifier) in self._by_name:
            return self._by_name[_normalised(identifier)]()
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        argument = argument or self.kind
        msg = (
            f"{argument} must be {self._article} or one of {', '.join(self.names)}, "
            f"got {_checks.shown(identifier)}{_checks.hint(identifier, self.names)}"
        )
        raise ValueError(msg)

    def deserialize(self, config: object) -> T:
        """Make an object from ``{"class_name": ..., "config": {...}}``.

        Only classes of this registry are made, and a user's own that this program has registered or has in its scope.
        """
        if not isinstance(config, dict) or set(config) != {"class_name", "config"}:
            _checks.refuse(f"the configuration of {self._article}", "a dict of 'class_name' and 'config'", config)
        name, arguments = config["class_name"], config["config"]
        cls = self._class(name)
        if not isinstance(arguments, dict):
            _checks.refuse(f"the configuration of {name}", "a dict of its constructor's arguments", arguments)
        return cls.from_config(arguments)

    def _class(self, name: object) -> type[T]:
        own = _own_objects.get_registered_object(name) if isinstance(name, str) else None
        if own is not None:
            if not (isinstance(own, type) and issubclass(own, self.base)):
                _checks.refuse(f"{name!r} among custom objects", f"a subclass of {self.base.__name__}", own)
            return own
        try:
            return self.classes[_checks.choice(f"class_name of {self._article}", name, self.classes.keys())]
        except ValueError as error:
            msg = f"{error}. If it is a class of your own, {_own_objects.ADVICE}"
            raise ValueError(msg) from None

    @property
    def _article(self) -> str:
        return f"an {self.kind}" if self.kind[0] in "aeiou" else f"a {self.kind}"


def snake_case(name: str) -> str:
    """Return a CamelCase name in snake_case as Keras spells it: ``ReLU`` is ``re_lu``."""
    import re

    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
