#!/usr/bin/env bash
# Runs a command behind the gate, on GitHub and on GitLab. What is asked for is in variables GATE_*, which are never evaluated.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { # sentence
  printf 'treering gate: %s\n' "$1" >&2
  exit 2
}

member() { # path of a member of the JSON on standard input
  node "$here/member.mjs" "$1"
}

# The run, by which a retry goes on; where results go, and what their names begin with.
prefix=
if [ "${GITHUB_ACTIONS:-}" = true ]; then
  run="$GITHUB_REPOSITORY run $GITHUB_RUN_ID job $GITHUB_JOB"
  secrets=$(mktemp -d "$RUNNER_TEMP/treering-secrets.XXXXXX")
  results=$(mktemp -d "$RUNNER_TEMP/treering-gate.XXXXXX")
  output=$GITHUB_OUTPUT
elif [ "${GITLAB_CI:-}" = true ]; then
  run="$CI_PROJECT_PATH pipeline $CI_PIPELINE_ID job $CI_JOB_NAME"
  secrets=$(mktemp -d)
  results=$CI_PROJECT_DIR/.treering
  mkdir -p "$results"
  output=$results/gate.env
  : >"$output"
  prefix=TREERING_GATE_
else
  fail 'this is neither a workflow of GitHub nor a job of GitLab'
fi
result=$results/result.json
trap 'rm -rf "$secrets" "$result"' EXIT
rm -f "$results/deploy.permit"

for name in ENVIRONMENT SERVICE MODEL CONFIG REASON COMMAND; do
  variable=GATE_$name
  if [[ ! ${!variable:-} =~ [^[:space:]] ]]; then fail "$variable is empty, and nothing is deployed without it"; fi
done

# Words, separated by white space; nothing in them is expanded.
read -r -a treering <<<"${GATE_TREERING:-treering}"
if [ "${#treering[@]}" -eq 0 ]; then fail 'GATE_TREERING is empty: it says how the command is called'; fi

if [ -n "${GATE_LOG_URL:-}" ]; then export TREERING_LOG_URL=$GATE_LOG_URL; fi
if [ -n "${GATE_LOG_KEY:-}" ]; then export TREERING_LOG_KEY=$GATE_LOG_KEY; fi
if [ -n "${GATE_TRUST_POLICY:-}" ]; then export TREERING_TRUST=$GATE_TRUST_POLICY; fi

# What follows = is a value, whatever it begins with.
options=(
  "--env=$GATE_ENVIRONMENT"
  "--service=$GATE_SERVICE"
  "--model=$GATE_MODEL"
  "--reason=$GATE_REASON"
  "--run=$run"
  "--out=$results/deploy.permit"
)
while IFS= read -r file; do
  if [ -n "$file" ]; then options+=("--config=$file"); fi
done <<<"$GATE_CONFIG"
if [ -n "${GATE_SYSTEM_PROMPT:-}" ]; then options+=("--system-prompt=$GATE_SYSTEM_PROMPT"); fi
if [ -n "${GATE_IMAGE:-}" ]; then options+=("--image=$GATE_IMAGE"); fi
if [ -n "${GATE_REPLICAS:-}" ]; then options+=("--replicas=$GATE_REPLICAS"); fi
if [ -n "${GATE_TICKET:-}" ]; then options+=("--ticket=$GATE_TICKET"); fi
if [ -n "${GATE_WAIT_FOR_APPROVAL:-}" ]; then options+=("--wait-for-approval=$GATE_WAIT_FOR_APPROVAL"); fi
case ${GATE_BREAK_GLASS:-false} in
  true) options+=(--break-glass) ;;
  false) ;;
  *) fail 'break-glass is true or false' ;;
esac

# Which of the two gives out tokens, if either does.
tokens=none
if [ -n "${TREERING_ID_TOKEN:-}" ]; then
  tokens=gitlab
elif [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] && [ -n "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}" ]; then
  tokens=github
fi

# Prints a token of the run for an audience.
fetch_token() { # audience
  local only=${GATE_AUDIENCE:-}
  if [ "$tokens" = gitlab ]; then
    if [ "$1" != "$only" ]; then
      fail "the token of this job is for ${only:-nobody}, and the policy wants one for $1: set GATE_AUDIENCE, and let the provider's binding be possession"
    fi
    printf '%s\n' "$TREERING_ID_TOKEN"
  else
    if [ -n "$only" ] && [ "$1" != "$only" ] && [[ $1 != "$only"/* ]]; then
      fail "the policy wants a token for $1, and the workflow gives one for $only only"
    fi
    # The secret goes by standard input: what stands in a command line can be read by every process.
    printf 'Authorization: bearer %s\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
      curl --silent --show-error --fail --max-time 30 --retry 3 --get --header @- \
        --data-urlencode "audience=$1" "$ACTIONS_ID_TOKEN_REQUEST_URL" |
      member value
  fi
}

# Gets a key for this run, by a token of it.
login() {
  local key=$secrets/workload.key token=$secrets/token prepared audience
  local options=("--out=$key" --json)
  if [ "$tokens" = none ]; then
    fail 'there is no key: set TREERING_KEY, or let the job have a token (GitHub: permissions: id-token: write; GitLab: id_tokens)'
  fi
  if [ -n "${GATE_PROVIDER:-}" ]; then options+=("--provider=$GATE_PROVIDER"); fi
  prepared=$("${treering[@]}" login --prepare "${options[@]}")
  audience=$(member audience <<<"$prepared")
  (umask 077 && : >"$token")
  fetch_token "$audience" >"$token"
  "${treering[@]}" login "--token-file=$token" "${options[@]}" >&2
  GATE_WORKLOAD_KEY=$(<"$key")
}

case ${TREERING_KEY:-} in
  '')
    login
    # It is on no disk while the command runs, and the gate keeps it out of the command's environment.
    export GATE_WORKLOAD_KEY TREERING_KEY=env:GATE_WORKLOAD_KEY
    ;;
  *PRIVATE+KEY+* | *ENCRYPTED+KEY+*) fail 'TREERING_KEY holds a key: put that into another variable, and env:<its name> into TREERING_KEY' ;;
esac
rm -rf "$secrets"
unset TREERING_ID_TOKEN

# The gate runs beside this shell, so that a signal that cancels the job reaches it, and it can still log what came of the command.
"${treering[@]}" gate "${options[@]}" --json -- bash -eo pipefail -c "$GATE_COMMAND" >"$result" &
gate=$!
trap 'signalled=true; kill -TERM "$gate" 2>/dev/null || true' INT TERM
while :; do
  signalled=false
  code=0
  wait "$gate" || code=$?
  # A signal ends the waiting, and not yet the gate.
  if [ "$signalled" = false ]; then break; fi
done
if [ "$code" -ne 0 ]; then exit "$code"; fi

for name in permit intent.leaf active.leaf state; do
  value=$(member "$name" <"$result")
  name=${name%.leaf}
  if [ -n "$prefix" ]; then name=$prefix${name^^}; fi
  printf '%s=%s\n' "$name" "$value" >>"$output"
done
