#!/bin/sh
# Makes a freshly unpacked root file system ($1) a sandbox image: the user, its mount points, nothing setuid.
set -eu
root=$1

echo 'user:x:1000:1000:user:/home/user:/bin/bash' >>"$root/etc/passwd"
echo 'user:x:1000:' >>"$root/etc/group"
echo 'user:!::0:99999:7:::' >>"$root/etc/shadow"
# A root without the package `passwd` has none before that.
chmod 0640 "$root/etc/shadow"
# The root is read-only in a sandbox, so whatever is mounted needs its directory here.
mkdir -p "$root/home/user" "$root/run/drydock"
chown 1000:1000 "$root/home/user"
printf '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n' >"$root/etc/hosts"
echo sandbox >"$root/etc/hostname"
# The builder's name server is nobody's business.
: >"$root/etc/resolv.conf"

find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
find "$root/var/cache" "$root/var/log" "$root/var/lib/apt" "$root/run" "$root/tmp" -xdev -type f -delete
# Documentation, translations, and what only building the tools themselves needs.
for path in usr/share/doc usr/share/man usr/share/info usr/share/lintian usr/share/locale \
  usr/share/go-*/test usr/share/go-*/api usr/share/go-*/misc usr/lib/go-*/pkg/*_dynlink usr/lib/jvm/*/jmods; do
  find "$root"/$path -mindepth 1 -delete 2>/dev/null || true
done
# Kotlin's compiler again, as a library.
rm -f "$root"/usr/share/java/kotlin-compiler-embeddable*.jar
