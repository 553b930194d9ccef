#!/bin/sh
# Makes sure that there is a bundle to serve: first_bundle NAME
#
# Ends at once where /bundles/NAME is a bundle. The bundle `digits` is trained when it is missing, without 3 and 7,
# so that there is something new to discover; it takes seconds and downloads nothing. Others are for a person
# to train. A bundle appears whole or not at all, so a manifest means that it is complete.
set -eu
name=${1:?usage: first_bundle NAME}
if [ -f "/bundles/$name/manifest.json" ]; then
    echo "first_bundle: /bundles/$name is there"
elif [ "$name" = digits ]; then
    exec firstseen train digits --hold-out 3,7 --out /bundles/digits
else
    echo "first_bundle: there is no bundle /bundles/$name. Train it first, for example:" >&2
    echo "  docker compose run --rm train mnist --hold-out 3,7 --out /bundles/$name" >&2
    exit 1
fi
