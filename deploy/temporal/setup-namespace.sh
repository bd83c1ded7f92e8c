#!/bin/sh
# Create the namespace and its search attributes. Safe to repeat. The temporal command reads
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE by itself.
set -eu

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d

for attribute in $SEARCH_ATTRIBUTES; do
    temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
        --name "${attribute%%=*}" --type "${attribute##*=}"
done
