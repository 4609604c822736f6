#!/bin/sh
# Makes a freshly unpacked root file system ($1) a sandbox image: the user, its mount points, nothing setuid.
set -eu
root=$1

echo 'user:x:1000:1000:user:/home/user:/bin/bash' >>"$root/etc/passwd"
echo 'user:x:1000:' >>"$root/etc/group"
echo 'user:!::0:99999:7:::' >>"$root/etc/shadow"
mkdir -p "$root/home/user" "$root/run/drydock"
chown 1000:1000 "$root/home/user"
printf '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n' >"$root/etc/hosts"
echo sandbox >"$root/etc/hostname"

find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
find "$root/var/cache" "$root/var/log" "$root/var/lib/apt" -xdev -type f -delete
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/info" "$root/usr/share/lintian"
find "$root/usr/share/locale" -mindepth 1 -maxdepth 1 -exec rm -rf {} + 2>/dev/null || true
