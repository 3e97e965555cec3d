# Sourced by every script here: a scratch folder as the current folder, a store that holds the built-in model, small settings.
set -euo pipefail
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tsrun-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
new_store() { cp -r "$TEST_STORE" "$1"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
table() { find "${1:-runs}" -name table.csv -newer "${2:-/dev/null}" | sort | head -n 1 | xargs cat; }
# A small version of the main recipe: every variant, few rows and epochs.
small=(--set dim=3 --set seeds=1 --set epochs=1 --set rows=128)
