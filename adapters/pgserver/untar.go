package pgserver

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// maxTreeBytes bounds an unpacked tree; PostgreSQL takes about 60 MB.
const maxTreeBytes = 1 << 30

// untar unpacks into a new folder. os.Root keeps every member, links included, inside that folder. All users may read
// the tree, because root unpacks what an unprivileged user runs.
func untar(r io.Reader, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of the binaries: %w", err)
	}
	// Chmod because the umask of the process may have cut the mode.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("open the folder of the binaries to its users: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder of the binaries: %w", err)
	}
	defer func() { _ = root.Close() }()
	archive := tar.NewReader(io.LimitReader(r, maxTreeBytes))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := unpackMember(root, header, archive); err != nil {
			return fmt.Errorf("unpack %q: %w", header.Name, err)
		}
	}
}

func unpackMember(root *os.Root, header *tar.Header, content io.Reader) error {
	name := path.Clean(header.Name)
	switch header.Typeflag {
	case tar.TypeDir:
		return makeFolders(root, name)
	case tar.TypeReg:
		if err := makeFolders(root, path.Dir(name)); err != nil {
			return err
		}
		return unpackFile(root, name, header.FileInfo().Mode().Perm(), content)
	case tar.TypeSymlink:
		if err := makeFolders(root, path.Dir(name)); err != nil {
			return err
		}
		return root.Symlink(header.Linkname, name)
	default:
		return fmt.Errorf("unexpected type %q", header.Typeflag)
	}
}

func makeFolders(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	for ; name != "."; name = path.Dir(name) {
		if err := root.Chmod(name, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode|0o444), file.Close())
}
