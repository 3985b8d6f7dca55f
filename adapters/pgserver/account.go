package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// enterTimeout bounds the probe whether an account can enter a folder.
const enterTimeout = 10 * time.Second

// account is the operating-system user that initdb and postgres run as. The zero value is the current user.
type account struct {
	cred *syscall.Credential
}

// accountFor chooses the account for the cluster folder, which need not exist yet.
func accountFor(cluster string) (account, error) {
	uid, gid, err := ownerOf(cluster)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return account{}, fmt.Errorf("look up the owner of %s: %w", cluster, err)
	}
	exists := err == nil
	if me := os.Geteuid(); me != 0 {
		if exists && uid != uint32(me) {
			return account{}, fmt.Errorf("the cluster %s belongs to user id %d, not to %d: "+
				"run as that user or as root, or choose another data folder", cluster, uid, me)
		}
		return account{}, nil
	}
	if exists && uid != 0 {
		return account{cred: &syscall.Credential{Uid: uid, Gid: gid}}, nil
	}
	return unprivilegedAccount()
}

func ownerOf(path string) (uid, gid uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("no owner known for %s", path)
	}
	return stat.Uid, stat.Gid, nil
}

func unprivilegedAccount() (account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and this machine has neither a user \"postgres\" " +
		"nor a user \"nobody\": create one, run as an ordinary user, or give DATABASE_URL")
}

// prepare makes cmd run as the account, in a folder it can enter, and without what the environment says about other
// servers (PGDATA, PGPORT, …) or about this program's secrets.
func (a account) prepare(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.cred}
	cmd.Env = []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// own gives path to the account.
func (a account) own(path string) error {
	if a.cred == nil {
		return nil
	}
	return os.Chown(path, int(a.cred.Uid), int(a.cred.Gid))
}

// canEnter asks the kernel, by a process of the account with dir as its working folder: mode bits alone would miss
// access lists, groups and mounts.
func (a account) canEnter(ctx context.Context, dir string) bool {
	ctx, cancel := context.WithTimeout(ctx, enterTimeout)
	defer cancel()
	cmd := a.prepare(exec.CommandContext(ctx, "/bin/sh", "-c", ":"))
	cmd.Dir = dir
	return cmd.Run() == nil
}

// folderMode lets the account pass through folders that root creates, without letting it list them.
func folderMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}
