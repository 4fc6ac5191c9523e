#!/usr/bin/env bash
# Builds the documentation as a site: docs/build.sh [FOLDER], default build/site. Needs Debian's package mkdocs.
#
# The repository's documents link to each other by their paths, and to files beside them. So the site is made of a copy of all of
# them, with the same paths, and a link that leads nowhere is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v mkdocs >/dev/null || { echo "docs/build.sh: mkdocs is not installed: apt-get install mkdocs" >&2; exit 1; }
site=$(realpath -m "${1:-build/site}")
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
cp --parents ./*.md LICENSE docs/*.md {base,network,volume,plugin-api,tests}/README.md "$pages"
cp --parents -r examples plugin-api/native/openapi.json packaging/{grafana,prometheus} "$pages"
sed "s|^docs_dir:.*|docs_dir: $pages|; s|^site_dir:.*|site_dir: $site|" mkdocs.yml >"$pages.yml"
trap 'rm -rf "$pages" "$pages.yml"' EXIT
said=$(mkdocs build --clean --strict --config-file "$pages.yml" 2>&1) || { echo "$said" >&2; exit 1; }
echo "$site/index.html"
