#!/usr/bin/env bash
# Debian packages that some suites need: a PKCS #11 token and a TPM in software, a browser with a font, a linter of shell scripts, and what breaks things on purpose. Installed for CI; locally those suites are skipped without.
set -euo pipefail
packages=(softhsm2 openssl chromium fonts-dejavu-core swtpm swtpm-tools tpm2-tools shellcheck
  strace libfaketime iproute2 e2fsprogs util-linux mount systemd)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
