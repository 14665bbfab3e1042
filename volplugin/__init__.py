"""The Docker volume driver of one host: volumes on NFS, GlusterFS and local disks that belong to the cluster."""
