"""Sessions that people run by hand: ``nox -l`` lists them."""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")


def group(session: nox.Session, name: str) -> None:
    session.install(*nox.project.dependency_groups(PROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Linters and formatters, as CI runs them."""
    group(session, "lint")
    session.install("numpy")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("codespell")
    sources = session.run("git", "ls-files", "csrc/*.cpp", "csrc/*.h", external=True, silent=True)
    session.run("clang-format", "--dry-run", "-Werror", *str(sources).split())


@nox.session
def tests(session: nox.Session) -> None:
    """The tests; arguments after -- go to pytest."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def levels(session: nox.Session) -> None:
    """The tests at each instruction-set level, on OpenMP and on std::thread."""
    session.install(".[test]")
    for level in ("v2", "v3", "v4"):
        session.run("pytest", *session.posargs, env={"FLYBALL_ISA": level})
    session.run("pytest", *session.posargs, env={"FLYBALL_TEAM": "threads"})


@nox.session
def reference(session: nox.Session) -> None:
    """The tests on the reference backend."""
    session.install(".[test]")
    session.run("pytest", *session.posargs, env={"FLYBALL_BACKEND": "reference"})


@nox.session
def sanitize(session: nox.Session) -> None:
    """The tests under AddressSanitizer and UndefinedBehaviorSanitizer (GCC)."""
    session.install(
        ".[test]",
        "-Ccmake.define.FLYBALL_SANITIZE=address,undefined",
        "-Ccmake.build-type=RelWithDebInfo",
        "-Cinstall.strip=false",
    )
    runtime = str(session.run("g++", "-print-file-name=libasan.so", external=True, silent=True)).strip()
    # Python keeps memory until it exits, so leaks are not looked for; vectors are aligned by the compiler's rules.
    session.run(
        "pytest",
        "-p",
        "no:cacheprovider",
        *session.posargs,
        env={"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
    )


@nox.session
def thread_sanitize(session: nox.Session) -> None:
    """The tests of teams under ThreadSanitizer, on std::thread: libgomp is not instrumented."""
    session.install(
        ".[test]",
        "-Ccmake.define.FLYBALL_SANITIZE=thread",
        "-Ccmake.define.FLYBALL_OPENMP=OFF",
        "-Ccmake.build-type=RelWithDebInfo",
        "-Cinstall.strip=false",
    )
    runtime = str(session.run("g++", "-print-file-name=libtsan.so", external=True, silent=True)).strip()
    session.run(
        "pytest",
        "-p",
        "no:cacheprovider",
        *session.posargs,
        env={"LD_PRELOAD": runtime, "TSAN_OPTIONS": "ignore_noninstrumented_modules=1"},
    )


@nox.session
def coverage(session: nox.Session) -> None:
    """Coverage of Python and of C++."""
    group(session, "coverage")
    group(session, "build")
    build = session.create_tmp() + "/build"
    session.install(
        "--no-build-isolation",
        ".[test]",
        f"-Cbuild-dir={build}",
        "-Cinstall.strip=false",
        env={"CXXFLAGS": "--coverage", "LDFLAGS": "--coverage"},
    )
    session.run("pytest", "--cov", "--cov-report=term", *session.posargs)
    session.run("gcovr", "--root", "csrc", "--object-directory", build, build)


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy over the C++ sources (advice, not a gate)."""
    session.install("clang-tidy", "cmake", "ninja", "pybind11", "cython", "cython-cmake")
    prefix = session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", silent=True)
    build = session.create_tmp() + "/build"
    session.run(
        "cmake",
        "-G",
        "Ninja",
        "-S",
        ".",
        "-B",
        build,
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        "-DCMAKE_CXX_COMPILER=clang++",
        f"-DCMAKE_PREFIX_PATH={str(prefix).strip()}",
        f"-DCMAKE_MODULE_PATH={str(prefix).strip()}/cython_cmake/cmake",
    )
    session.run("cmake", "--build", build)
    sources = session.run("git", "ls-files", "csrc/*.cpp", external=True, silent=True)
    session.run("clang-tidy", "-p", build, "--quiet", *str(sources).split())


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, native against reference."""
    group(session, "bench")
    session.install(".")
    session.run("pytest", "bench", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Whole training steps and single operations beside torch, jax and scikit-learn."""
    group(session, "peers")
    session.install(".")
    session.run("python", "bench/peers/run.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, in docs/_build."""
    group(session, "docs")
    session.install(".[plot]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-n", "docs", "docs/_build", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """A wheel for this machine, repaired and checked, and a build from the source distribution."""
    group(session, "wheel")
    out = session.create_tmp() + "/dist"
    session.run("python", "-m", "build", "--outdir", out)
    session.run("bash", "-c", f"auditwheel repair --wheel-dir {out}/repaired {out}/*.whl")
    session.run("bash", "-c", f"python tools/check_wheel.py {out}/repaired/*.whl")
