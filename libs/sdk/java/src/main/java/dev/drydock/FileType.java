package dev.drydock;

/** What is at a path. */
public enum FileType {
  /** A regular file. */
  FILE,
  /** A directory. */
  DIRECTORY,
  /** A symbolic link. */
  SYMLINK,
  /** A device, a socket or a pipe, or a kind that a newer server has added. */
  OTHER
}
