# The server: the kernel's nfsd exports a directory of the disk `/dev/ubda`, which outlives the machine.
modprobe -d /run/modules nfsd
mkdir /mnt/disk
mount /dev/ubda /mnt/disk
mkdir -p /mnt/disk/export /mnt/disk/state/{sm,sm.bak,v4recovery,rpc_pipefs,nfsdcltrack,nfsdcld}
chmod 777 /mnt/disk/export
mount --bind /mnt/disk/state /var/lib/nfs
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/xtab
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
echo 10 >/proc/fs/nfsd/nfsv4leasetime
echo 10 >/proc/fs/nfsd/nfsv4gracetime
exportfs -o rw,sync,no_root_squash,no_subtree_check,insecure,fsid=0 "*:/mnt/disk/export"
rpc.mountd -p 20048
rpc.nfsd 4
