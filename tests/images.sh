# Makes an image of two layers below "$1", with busybox's root "$2" in the lower one: a layout in image/, and the same as
# `docker save` has it in saved.tar.
set -eu
cd "$1"
mkdir -p image/blobs/sha256 lower upper/etc upper/gone
cp -a "$2/." lower/
mkdir -p lower/work lower/gone
echo lower >lower/etc/said
echo x >lower/etc/removed
echo x >lower/gone/file
echo upper >upper/etc/said
: >upper/etc/.wh.removed
: >upper/gone/.wh..wh..opq
echo y >upper/gone/new
sum() { sha256sum <"$1" | cut -d' ' -f1; }
describe() { printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s' "$1" "$(sum "$2")" "$(stat -c %s "$2")"; }
blob() { cp "$1" "image/blobs/sha256/$(sum "$1")"; }
for layer in lower upper; do tar -C $layer -cf $layer.tar . && gzip -nk $layer.tar && blob $layer.tar.gz; done
case $(uname -m) in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
cat >config.json <<CONFIG
{"architecture":"$machine","os":"linux","config":{"Entrypoint":["/bin/sh","-c"],"Cmd":["echo \$WORD >/tmp/up; exec sleep 1000"],
"Env":["PATH=/bin","WORD=of the image"],"User":"alice:alice","WorkingDir":"/work","StopSignal":"SIGKILL"},
"rootfs":{"type":"layers","diff_ids":["sha256:$(sum lower.tar)","sha256:$(sum upper.tar)"]}}
CONFIG
blob config.json
printf '{"schemaVersion":2,"config":%s},"layers":[%s},%s}]}' "$(describe config.v1+json config.json)" \
    "$(describe layer.v1.tar+gzip lower.tar.gz)" "$(describe layer.v1.tar+gzip upper.tar.gz)" >manifest
blob manifest
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' \
    "$(describe manifest.v1+json manifest)" >image/index.json
printf '{"imageLayoutVersion":"1.0.0"}' >image/oci-layout
printf '[{"Config":"config.json","RepoTags":["app:1"],"Layers":["lower.tar","upper.tar"]}]' >manifest.json
tar -cf saved.tar manifest.json config.json lower.tar upper.tar
