#!/usr/bin/env bash
# Trains and evaluates on a Cloud TPU slice over ssh:
# launch/tpu_vm/train.sh create|install|train|evaluate|status|stop|delete
# `train` and `evaluate` accept flags of `stepdiff train` and `stepdiff evaluate`. The settings most
# often changed come first.

set -euo pipefail

: "${NAME:=stepdiff}"             # name of the TPU slice
: "${ZONE:=us-west4-a}"
: "${TYPE:=v5litepod-16}"         # accelerator type
: "${VERSION:=v2-alpha-tpuv5-lite}" # software version of the TPU hosts
: "${CONFIG:=stepdiff_70b@v5e}"   # a name in configs/ or a Python file
: "${REPOSITORY:=}"               # git URL of the project, for `install`
: "${RUNS:=}"                     # directory that all hosts share: a mounted bucket or NFS

on_all_hosts() {
    gcloud compute tpus tpu-vm ssh "$NAME" --zone "$ZONE" --worker=all --command "$1"
}

need() {
    [[ -n ${!1} ]] || { echo "$0: error: $1 is empty; set it" >&2; exit 2; }
}

case "${1:-}" in
create)
    gcloud compute tpus tpu-vm create "$NAME" --zone "$ZONE" --accelerator-type "$TYPE" \
        --version "$VERSION" "${@:2}"
    ;;
install)
    need REPOSITORY
    on_all_hosts "git clone $(printf %q "$REPOSITORY") stepdiff && cd stepdiff \
        && python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[tpu]'"
    ;;
train | evaluate)
    need RUNS
    directory=$RUNS/${CONFIG%@*}
    flags=$(printf '%q ' "$CONFIG" --loop.run-directory "$directory" "${@:2}")
    # Keeps running when the connection ends; saves its PID for `stop`, its exit code for `status`.
    run=".venv/bin/stepdiff $1 $flags & echo \$! > train.pid; wait \$!; echo \$? > train.code"
    # In braces, as otherwise a background shell would keep the connection's output open.
    on_all_hosts "cd stepdiff && rm -f train.code && { STEPDIFF_DISTRIBUTED=auto nohup bash -c \
        $(printf %q "$run") > train.log 2>&1 < /dev/null & } && sleep 1"
    ;;
status)
    on_all_hosts "cd stepdiff && tail -n 2 train.log; echo exit code: \$(cat train.code 2>/dev/null || echo none, it runs)"
    ;;
stop)
    # All hosts save at the same step and exit with code 75.
    on_all_hosts "kill -TERM \$(cat stepdiff/train.pid)"
    ;;
delete)
    gcloud compute tpus tpu-vm delete "$NAME" --zone "$ZONE" "${@:2}"
    ;;
*)
    echo "usage: $0 create|install|train|evaluate|status|stop|delete [FLAGS]" >&2
    exit 2
    ;;
esac
