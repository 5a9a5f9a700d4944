# What the scripts share that look at pages in a headless browser; sourced by them in the root of the repository.
# Sets CHROMIUM, NODE_PATH (playwright-core and axe-core, fetched once) and, by `need_program`, LESIONTRACE.

script=scripts/$(basename "$0")
target=${CARGO_TARGET_DIR:-target}

for program in node npm; do
    if ! command -v "$program" >/dev/null 2>&1; then
        echo "$script: expected the program $program on the PATH, found none; on Debian: apt-get install nodejs npm" >&2
        exit 1
    fi
done
for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [[ -n $browser ]] && command -v "$browser" >/dev/null 2>&1; then
        CHROMIUM=$(command -v "$browser")
        break
    fi
done
if [[ -z ${CHROMIUM:-} ]]; then
    echo "$script: expected chromium on the PATH or in \$CHROMIUM, found none; on Debian: apt-get install chromium" >&2
    exit 1
fi
export CHROMIUM

tools=$target/check_reports
if [[ ! -d $tools/node_modules/axe-core || ! -d $tools/node_modules/playwright-core ]]; then
    mkdir -p "$tools"
    npm install --prefix "$tools" --no-save --no-audit --no-fund --ignore-scripts playwright-core@1.65.1 axe-core@4.14.1 >&2
fi
export NODE_PATH=$tools/node_modules

# The program: the one LESIONTRACE names, else built here.
need_program() {
    if [[ -z ${LESIONTRACE:-} ]]; then
        cargo build --locked -q --release -p lesiontrace >&2
        LESIONTRACE=$target/release/lesiontrace
    fi
    export LESIONTRACE
}
