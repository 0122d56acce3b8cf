# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the probes of tests/system share: they run as root in the system that machine.py boots, ask the
# installed service what it promises, and print TAP.
import json
import os
import re
import select
import subprocess
import sys
import traceback

GUEST_UUID = "c0ffee00-0000-4000-8000-00000000babe"
DOMAIN = f"""<domain type='qemu'><name>guest</name><uuid>{GUEST_UUID}</uuid>
<memory>65536</memory><os><type machine='q35'>hvm</type></os><devices>
<disk type='file'><driver type='qcow2'/><source file='/var/lib/virtbus/images/guest.qcow2'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='user'/><serial type='pty'/><graphics type='vnc'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>"""
OTHER = """<domain type='qemu'><name>other</name><uuid>c0ffee00-0000-4000-8000-00000000cafe</uuid>
<memory>65536</memory><os><type machine='q35'>hvm</type></os></domain>"""
POLITE = """<domain type='test'><name>polite</name><uuid>c0ffee00-0000-4000-8000-00000000d0d0</uuid>
<memory>65536</memory><os><type>hvm</type></os></domain>"""
GUEST_UNIT = f"virtbus-qemu-{GUEST_UUID}.service"
PATH = "/org/virtbus1/domain/" + GUEST_UUID.replace("-", "_")
NETWORK = """<network><name>lan</name><uuid>c0ffee00-0000-4000-8000-0000000000a0</uuid><bridge name='virtbus7'/>
<forward mode='nat'/><ip address='10.66.77.1' prefix='24'><dhcp><range start='10.66.77.2' end='10.66.77.99'/></dhcp></ip>
<ip family='ipv6' address='fd66:77::1' prefix='64'/></network>"""
NETWORK_PATH = "/org/virtbus1/network/c0ffee00_0000_4000_8000_0000000000a0"

tests = []


def test(function):
    tests.append(function)
    return function


def run(*argv, fails=False):
    """Its output; it must succeed, with fails=True fail, with fails=None do as it likes."""
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    assert fails is None or (result.returncode != 0) == fails, \
        f"{' '.join(argv)}: {result.returncode}\n{result.stdout}"
    return result.stdout


def bus(*arguments):
    output = run("busctl", "--json=short", "--timeout=60", *arguments)
    return json.loads(output)["data"] if output.strip() else None


def manager(method, signature, *arguments):
    return bus("call", "org.virtbus1", "/org/virtbus1/manager", "org.virtbus1.Manager", method, signature, *arguments)


def domain(method):
    return bus("call", "org.virtbus1", PATH, "org.virtbus1.Domain", method, "a{sv}", "0")


def domain_property(name):
    return bus("get-property", "org.virtbus1", PATH, "org.virtbus1.Domain", name)


def state():
    return domain_property("State")


def network(method):
    return bus("call", "org.virtbus1", NETWORK_PATH, "org.virtbus1.Network", method, "a{sv}", "0")


def network_property(name):
    return bus("get-property", "org.virtbus1", NETWORK_PATH, "org.virtbus1.Network", name)


def journal(*options):
    """The messages of all that was logged until now."""
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", "--output=cat", *options)


def show(name, unit="virtbusd"):
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def processes(name, unit="virtbusd"):
    """The pids of programs whose name begins so in the unit's cgroup."""
    group = show("ControlGroup", unit)
    if not group:
        return []
    with open(f"/sys/fs/cgroup{group}/cgroup.procs", encoding="utf-8") as file:
        pids = [int(line) for line in file]
    return [pid for pid in pids if status(pid)["Name"].startswith(name)]


def guests():
    return processes("qemu-system", GUEST_UNIT)


class Signals:
    """The signals of an object, from when it is made on, whoever owns the name meanwhile."""

    def __init__(self, path):
        self.monitor = subprocess.Popen(["gdbus", "monitor", "--system", "--dest", "org.virtbus1", "--object-path", path],
                                        stdout=subprocess.PIPE)
        self.pending = b""
        while b"is owned by" not in self.line():
            pass

    def line(self):
        ready = select.poll()
        ready.register(self.monitor.stdout, select.POLLIN)
        while b"\n" not in self.pending:
            assert ready.poll(30000), "no signal came"
            self.pending += os.read(self.monitor.stdout.fileno(), 65536)
        line, _, self.pending = self.pending.partition(b"\n")
        return line

    def ready_within(self, seconds):
        """Is there one?"""
        ready = select.poll()
        ready.register(self.monitor.stdout, select.POLLIN)
        return b"\n" in self.pending or bool(ready.poll(seconds * 1000))

    def next(self):
        """Name and arguments of the next one, as gdbus writes them."""
        while True:
            match = re.fullmatch(r"\S+: [\w.]+\.(\w+) (\(.*\))", self.line().decode())
            if match:
                return match.groups()

    def until(self, name):
        """Those up to the next of that name."""
        found = [self.next()]
        while found[-1][0] != name:
            found.append(self.next())
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.monitor.kill()
        self.monitor.wait()


def await_state(wanted, act):
    """Calls act() and waits until the domain is in that state."""
    with Signals(PATH) as signals:
        act()
        while state() != wanted:
            signals.next()


def await_death(pid, act):
    """Calls act() and waits for the end of that process."""
    ended = select.poll()
    ended.register(os.pidfd_open(int(pid)), select.POLLIN)
    act()
    assert ended.poll(60000), "it does not end"


def main():
    print(f"1..{len(tests)}")
    failed = False
    for number, function in enumerate(tests, 1):
        title = f"{number} {function.__name__.replace('_', ' ')}"
        try:
            function()
            print("ok", title)
        except Exception: # whatever it was, the rest is run and the report printed
            failed = True
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
            print("not ok", title)
        sys.stdout.flush()
    if failed:
        print("\n".join("# " + line for line in run("journalctl", "--no-pager", "-n", "90").splitlines()))
    print("# done")
    sys.exit(1 if failed else 0)
