"""A user's own classes and functions in configurations: by name there, and looked up in the running program here.

What a file says is a name; what is made of it is a class or function that this program has registered, or was given in
a scope. Nothing is imported or executed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scope: ContextVar[Mapping[str, Any]] = ContextVar("_scope")
_recorded: ContextVar[dict[str, Any] | None] = ContextVar("_recorded", default=None)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Return a decorator that lets files name a class or function of your own, as ``package>name``.

    A model with such a layer, metric, loss, schedule or other part can be loaded, in any program that has registered
    the same name, without ``custom_objects``.

    Parameters
    ----------
    package : str
        What tells your names from others'.
    name : str, optional
        The object's own name if not given.

    Raises
    ------
    ValueError
        If a class has no ``get_config``.
    TypeError
        If what is decorated is neither a class nor a function.
    """
    package = _checks.text("package", package)
    own_name = None if name is None else _checks.text("name", name)

    def decorate(item: T) -> T:
        _require_nameable("what is registered", item)
        if isinstance(item, type) and not hasattr(item, "get_config"):
            msg = f"a class must have get_config to be registered, got {item.__name__}"
            raise ValueError(msg)
        full = f"{package}>{own_name or item.__name__}"  # type: ignore[attr-defined]  # classes and functions have it
        _registered[full] = item
        _names[item] = full
        return item

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """Return the dictionary of all that is registered, by name; what is added to it is registered."""
    return _registered


def get_registered_name(obj: Any) -> str:
    """Return the name under which ``obj`` is registered, or its own."""
    name: str = _names.get(obj, obj.__name__)
    return name


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return what ``name`` stands for: in a scope, registered, or in one of the two; None if nothing."""
    for objects in (_scope.get({}), _registered, custom_objects or {}, module_objects or {}):
        if name in objects:
            return objects[name]
    return None


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Let the names in ``custom_objects`` stand for the classes and functions they map to, inside a ``with`` block.

    Raises
    ------
    ValueError, TypeError
        If they are not classes and functions by name.
    """
    objects = {} if custom_objects is None else custom_objects
    if not hasattr(objects, "items"):
        _checks.refuse("custom_objects", "a dict of classes and functions by name", objects)
    for name, item in objects.items():
        _checks.text("a name in custom_objects", name)
        _require_nameable(f"custom_objects[{name!r}]", item)
    token = _scope.set({**_scope.get({}), **objects})
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def recorded() -> Iterator[dict[str, Any]]:
    """Give what of a user's own is named inside a ``with`` block, by name: all that is needed to read it back."""
    found: dict[str, Any] = {}
    token = _recorded.set(found)
    try:
        yield found
    finally:
        _recorded.reset(token)


def name_of(item: Any) -> str:
    """Return what configurations call a class or function of a user's own.

    Raises
    ------
    ValueError
        If it has no name, or another one has the same name.
    """
    name = get_registered_name(item)
    if name == "<lambda>":
        msg = "a function must have a name to be saved or copied, got a lambda; define it with def"
        raise ValueError(msg)
    found = _recorded.get()
    if found is not None and found.setdefault(name, item) is not item:
        expectation = "different names, or be registered with saving.register_keras_serializable"
        msg = f"classes and functions of one's own must have {expectation}, got two that are called {name!r}"
        raise ValueError(msg)
    return name


def function(name: object) -> Callable[..., Any]:
    """Return the function that a configuration calls ``name``; raise ValueError where nobody knows it."""
    found: Callable[..., Any] | None = get_registered_object(name) if isinstance(name, str) else None
    if not callable(found) or isinstance(found, type):
        msg = f"{_checks.shown(name)} must be a function that this program knows: {ADVICE}"
        raise ValueError(msg)
    return found


ADVICE = "give it in custom_objects, or register it with saving.register_keras_serializable"


def _require_nameable(what: str, item: Any) -> None:
    if not callable(item) or not hasattr(item, "__name__"):
        msg = f"{what} must be a class or a function, got {_checks.shown(item)}"
        raise TypeError(msg)
