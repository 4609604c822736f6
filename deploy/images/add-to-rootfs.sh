#!/bin/sh
# Makes in a root file system ($1) what programs expect of a system and its packages leave undone.
set -eu
root=$1

# A package of another release, which this one lacks, is only unpacked.
for package in "$root"/opt/*.deb; do
  [ -e "$package" ] || continue
  chroot "$root" dpkg-deb --extract "/opt/$(basename "$package")" /
  rm "$package"
done

# Named locales, of which C.UTF-8 is the only one that a system is born with.
if [ -d "$root/usr/share/i18n" ]; then
  for locale in de_DE en_GB en_US es_ES fr_FR it_IT ja_JP ko_KR nl_NL pl_PL pt_BR ru_RU tr_TR zh_CN; do
    chroot "$root" localedef --inputfile "$locale" --charmap UTF-8 "$locale.UTF-8"
  done
  rm -rf "$root/usr/share/i18n"
fi

# The standard library, which this Go compiles itself: from here it is taken without a write.
if [ -x "$root/opt/go/bin/go" ]; then
  chroot "$root" env HOME=/tmp GOCACHE=/opt/go/cache GOPATH=/tmp/go GOFLAGS=-buildvcs=false GOPROXY=off CGO_ENABLED=0 \
    PATH=/opt/go/bin:/usr/bin:/bin go build std
fi
