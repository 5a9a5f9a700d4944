# What the proofs of scripts/slurm, scripts/snakemake and scripts/container share: the program, a small cohort, what an undisturbed
# run makes of it, and whether another run's results are the same, byte by byte. Sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The program: what LESIONTRACE names, else the release build, which is made where there is none.
find_program() {
    if [[ -z ${LESIONTRACE:-} ]]; then
        LESIONTRACE=${CARGO_TARGET_DIR:-$root/target}/release/lesiontrace
        [[ -x $LESIONTRACE ]] || (cd "$root" && scripts/fetch_onnxruntime && cargo build --release --locked -p lesiontrace)
    fi
    LESIONTRACE=$(realpath "$LESIONTRACE")
    export LESIONTRACE
    "$LESIONTRACE" --version
}

# A folder of this proof alone; `--work DIR` names one that is kept.
make_work() { # DIR or nothing
    if [[ -n ${1:-} ]]; then
        mkdir -p "$1"
        work=$(realpath "$1")
    else
        work=$(mktemp -d)
        is_work_temporary=yes
    fi
    chmod 755 "$work"
}

remove_work() {
    if [[ ${is_work_temporary:-no} == yes ]]; then rm -rf "$work"; fi
}

# Patients of a published study's kind, coarse images with true masks: no network is needed, and a patient takes seconds.
make_cohort() { # N
    "$LESIONTRACE" phantom --study narayanan2024 --patients "$1" --seed 1 --out "$work/archive" --no-progress
    STUDY=$work/archive/study.toml
}

undisturbed() {
    "$LESIONTRACE" run "$STUDY" --archive "$work/archive" --out "$work/undisturbed" --no-progress
}

# Digests of all results, but for what no two runs share: manifests, who does whom, ledger entries, journals and logs.
digests() { # OUT
    (cd "$1" && find . -type f ! -name 'manifest*' ! -name 'shards-of-*' ! -name status.json ! -path './logs/*' ! -path './shards/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum)
}

# Says how many files of OUT are those of the undisturbed run; fails when one is not.
same_results() { # OUT
    local n
    digests "$work/undisturbed" >"$work/undisturbed.sha256"
    digests "$1" >"$work/this.sha256"
    n=$(wc -l <"$work/undisturbed.sha256")
    if ! diff "$work/undisturbed.sha256" "$work/this.sha256" >"$work/differences"; then
        echo "FAILED: results differ from the undisturbed run's:" >&2
        head -20 "$work/differences" >&2
        return 1
    fi
    echo "byte-equal to the undisturbed run: $n of $n files, $(find "$1/cohort" -name '*.csv' | wc -l) tables among them"
}

# Patients by state, such as `13 done, 3 interrupted`.
states() { # OUT
    "$LESIONTRACE" status "$1" --json | python3 -c '
import collections, json, sys
states = collections.Counter(patient["state"] for patient in json.load(sys.stdin)["patients"])
print(", ".join(f"{n} {state}" for state, n in sorted(states.items())))'
}

expect() { # WHAT FOUND WANTED
    if [[ $2 == "$3" ]]; then
        echo "ok      $1: $2"
    else
        echo "FAILED  $1: expected $3, found $2" >&2
        n_failed=$((${n_failed:-0} + 1))
    fi
}

# The last line, and the exit code.
verdict() {
    if ((${n_failed:-0} > 0)); then
        echo "$n_failed FAILED" >&2
        return 1
    fi
    echo "all as expected"
}
