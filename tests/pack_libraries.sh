#!/bin/sh
# pack_libraries.sh FOLDER PROGRAM..: copies the shared libraries that the programs need to FOLDER, all but the compiler's own: an old
# one of those would be in the way of other programs there.
set -eu
folder=$1
shift
ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while read -r library; do
    case ${library##*/} in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux* | libstdc++.so.* | libgcc_s.so.*) ;;
    *) cp -L "$library" "$folder/" && chmod u+w "$folder/${library##*/}" && strip --strip-unneeded "$folder/${library##*/}" ;;
    esac
done
