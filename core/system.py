"""Qt's system libraries: are they there? `python -m core.system` also installs them (Debian, Ubuntu, root).

Qt's wheels bring Qt, but not the libraries of the desktop that its platform plug-ins link to. Needs the
standard library only; loads no Qt.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
FONTS = ("fonts-dejavu-core", "/usr/share/fonts")


def missing_packages() -> list[str]:
    """Debian packages of the libraries that the loader does not find, and of a font where there is none."""
    if not sys.platform.startswith("linux"):
        return []
    packages = []
    for library, package in PACKAGES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    if not any(name.endswith((".ttf", ".otf")) for _, _, names in os.walk(FONTS[1]) for name in names):
        packages.append(FONTS[0])
    return packages


def main() -> int:
    """Check, install where that is possible, otherwise say what to install.

    Returns:
        Exit status: 0 when everything is there.
    """
    packages = missing_packages()
    if not packages:
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        sys.stderr.write(f"Installing Qt's system libraries: {' '.join(packages)}\n")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
            subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL)
        packages = missing_packages()
        if not packages:
            return 0
    sys.stderr.write("Qt needs system libraries that are not here. Install them with\n")
    sys.stderr.write(f"  sudo apt-get install {' '.join(packages)}\n")
    sys.stderr.write("or the packages of these names in your distribution.\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
