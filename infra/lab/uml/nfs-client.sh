# A client: `source` is mounted at /mnt/shared with `options`. The lock daemon of version 3 is not needed.
modprobe -d /run/modules nfs
mkdir /mnt/shared
for attempt in $(seq 60); do
  mount -t nfs -o "$options" "$source" /mnt/shared && break
  sleep 0.5
done
mountpoint /mnt/shared
