package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The file systems that people meet, by the number that statfs gives.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs (in memory: gone after a restart)",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.NFS_SUPER_MAGIC: "network (nfs)", unix.SMB2_SUPER_MAGIC: "network (smb)", unix.CIFS_SUPER_MAGIC: "network (cifs)", unix.FUSE_SUPER_MAGIC: "fuse",
}

// diskSpace is the room that is left for this user on the file system of a directory, and which one that is.
func diskSpace(dir string) (free int64, kind string, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, "", false
	}
	kind = fileSystems[int64(st.Type)]
	if kind == "" {
		kind = fmt.Sprintf("file system 0x%x", st.Type)
	}
	return int64(st.Bavail) * st.Bsize, kind, true
}
