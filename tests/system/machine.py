# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A booted Debian for a test: this host's own file system below an overlay that takes what is written,
# and systemd-nspawn, as far as a unit that runs one probe. What the test is, its caller says.
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE = 180
PROGRAMS = {"systemd-nspawn": "systemd-container", "dbus-daemon": "dbus", "qemu-system-x86_64": "qemu-system-x86",
            "dnsmasq": "dnsmasq-base", "nft": "nftables", "ip": "iproute2"}

PROBE_UNIT = """[Unit]
Requires=dbus.socket
After=dbus.socket
SuccessAction={end}
FailureAction={end}
[Service]
Type=oneshot
ExecStart=/probe
StandardOutput=file:{output}
StandardError=file:{errors}
TimeoutStartSec={seconds}
"""

# The tests' build looks for leaks with ptrace(), which the unit denies it.
SANITIZER_DROP_IN = "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n"


def skip(reason):
    print("1..0 # SKIP", reason)
    sys.exit(0)


def write(root, path, text, mode=0o644):
    path = root + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def install(root, conf):
    """The tests' own build; conf has meson, build, policy."""
    subprocess.run([conf["meson"], "install", "-C", conf["build"], "--no-rebuild", "--quiet", "--destdir", root],
                   check=True, stdout=subprocess.DEVNULL)
    # dbus-daemon does not look for policies below other prefixes than its own.
    write(root, "/etc/dbus-1/system.d/org.virtbus1.conf", read(root + conf["policy"]))
    write(root, "/etc/systemd/system/virtbusd.service.d/sanitizer.conf", SANITIZER_DROP_IN)


def write_probe(root, name, output, errors, end, seconds):
    """tests/system/<name> as /probe and its unit, after which the system ends with that action."""
    unit = PROBE_UNIT.format(end=end, output=output, errors=errors, seconds=seconds)
    write(root, "/etc/systemd/system/probe.service", unit)
    write(root, "/probe", read(os.path.join(HERE, name)), 0o755)
    shutil.copy(os.path.join(HERE, "probe.py"), root + "/probe.py")


def make_root(work):
    """The host's files below `work`, which becomes a file system of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
    root = os.path.join(work, "root")
    for name in ("upper", "work", "root"):
        os.mkdir(os.path.join(work, name))
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir=/,upperdir={work}/upper,workdir={work}/work", root], check=True)
    if os.path.exists(root + "/usr/sbin/policy-rc.d"): # of a container: that packages start no services
        os.unlink(root + "/usr/sbin/policy-rc.d")
    return root


def boot(root, name, end="poweroff-immediate"):
    """One boot, in which tests/system/<name> runs and prints TAP; it ends as a power cut does, or with
    end="poweroff" as it should. Returns what it printed, and whether all of it is well; what the console and the
    probe's stderr had is shown where it is not."""
    write_probe(root, name, "/probe.out", "/probe.err", end, 170)
    for left in ("/probe.out", "/probe.err"):
        if os.path.exists(root + left):
            os.unlink(root + left)
    argv = ["systemd-nspawn", "--directory=" + root, "--machine=virtbus-test", "--register=no", "--keep-unit",
            "--private-network", "--link-journal=no", "--boot", "--", "--unit=probe.service"]
    try:
        console = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True, errors="replace", timeout=DEADLINE, check=False,
                                 env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1")).stdout
    except subprocess.TimeoutExpired as expired:
        console = (expired.stdout or b"").decode(errors="replace") + "\ntimed out"
    lines = read(root + "/probe.out").splitlines()
    well = "# done" in lines and not any(line.startswith("not ok") for line in lines)
    if not well:
        lines += ["# " + line for line in (console + read(root + "/probe.err")).splitlines()]
    return lines, well


def print_tap(lines, number=0):
    """The lines of several boots as one report, after so many of the caller's own."""
    for line in lines:
        if line.startswith(("ok ", "not ok ")):
            number += 1
            verdict, _, title = line.partition("ok ")
            print(f"{verdict}ok {number} {title.partition(' ')[2]}")
        elif not line.startswith("1.."):
            print(line)
    print(f"1..{number}")


def run_contained(run, programs=()):
    """Calls run(work, conf), where `work` is an empty directory and conf the arguments NAME=VALUE, in a mount and
    PID namespace of its own, which takes everything away when it ends. Exits with what it returns."""
    arguments = sys.argv[1:]
    if arguments[0].startswith("work="):
        conf = dict(argument.split("=", 1) for argument in arguments)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True) # nspawn's own traces
        sys.exit(run(conf["work"], conf))
    if os.getuid() != 0:
        skip("needs root, to boot a system")
    for program, package in {**PROGRAMS, **dict(programs)}.items():
        if not shutil.which(program):
            skip(f"{program} is not installed (package {package})")
    namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
    if subprocess.run([*namespace, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        skip("no mount and PID namespaces here")
    if not os.path.ismount("/sys/fs/cgroup"):
        skip("no control groups are mounted here")
    work = tempfile.mkdtemp(prefix="virtbus-system-")
    try:
        status = subprocess.run([*namespace, sys.executable, sys.argv[0], "work=" + work, *arguments],
                                check=False).returncode
    finally:
        os.rmdir(work)
    sys.exit(status)
