# shellcheck shell=bash
# What the packages are made with, in pinned versions. `build` and `test` source this file. Everything is
# installed into target/packaging/tools, nothing into the system.

ZIG=0.15.2              # PyPI, as ziglang
CARGO_ZIGBUILD=0.24.0   # PyPI; maturin has the same one inside
MATURIN=1.16.0          # PyPI

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/target/packaging
tools=$work/tools
export PATH="$tools/python/bin:$tools/python/Scripts:$tools/cargo/bin:$tools/debian/bin:$PATH"

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { echo "error: $*" >&2; exit 1; }

# python_tools: zig, cargo-zigbuild and maturin, which PyPI has as binaries.
python_tools() {
    local wanted="ziglang==$ZIG cargo-zigbuild==$CARGO_ZIGBUILD maturin==$MATURIN"
    [ "$(cat "$tools/python/installed" 2> /dev/null)" != "$wanted" ] || return 0
    python3 -m venv --clear "$tools/python"
    # shellcheck disable=SC2086 # three words
    python -m pip install --quiet --disable-pip-version-check --only-binary :all: $wanted
    echo "$wanted" > "$tools/python/installed"
}

# cargo_tool CRATE: compiles it; crates.io has no binaries.
cargo_tool() {
    local installed options=()
    case $1 in
        cargo-about) options=(--version 0.9.3 --features cli) ;;
        cargo-cyclonedx) options=(--version 0.5.9) ;;
        cargo-deb) options=(--version 3.8.0) ;;
    esac
    installed=$tools/cargo/$1.installed
    [ "$(cat "$installed" 2> /dev/null)" != "${options[*]}" ] || return 0
    # In a temporary directory, which is deleted.
    env -u CARGO_TARGET_DIR \
        cargo install --quiet --locked --force --root "$tools/cargo" "${options[@]}" "$1"
    echo "${options[*]}" > "$installed"
}

# debian_package NAME…: unpacks what the archive of Debian or Ubuntu has now into target/packaging/debian/NAME.
debian_package() {
    local name
    for name; do
        [ ! -d "$work/debian/$name" ] || continue
        mkdir -p "$work/debian/downloaded"
        (cd "$work/debian/downloaded" && rm -f "$name"_*.deb && apt-get download -qq -o APT::Sandbox::User=root "$name") ||
            fail "cannot download the Debian package $name: run \`apt-get update\`, on Debian or Ubuntu"
        dpkg-deb -x "$work/debian/downloaded/$name"_*.deb "$work/debian/$name.new"
        mv "$work/debian/$name.new" "$work/debian/$name"
    done
}

# debian_tool COMMAND: a program of the package of its name, unless it is installed.
debian_tool() {
    command -v "$1" > /dev/null && return
    debian_package "$1"
    install -D -t "$tools/debian/bin" "$(find "$work/debian/$1/usr" -path "*bin/$1" -type f -print -quit)"
}
