package dev.drydock;

import java.util.List;

/**
 * Which of some blobs are there.
 *
 * @param blobs those that are, once each, in the order in which they were asked for
 * @param missing the hashes of the others
 */
public record BlobStat(List<BlobInfo> blobs, List<String> missing) {}
