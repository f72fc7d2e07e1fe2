package io.aulm.gateway.client;

/**
 * One complaint, as the standard details list them.
 *
 * @param subject the field ("to", "filter.types[2]"), the precondition's subject ("session:…") or the quota's
 * @param description what is wrong and how it is mended
 */
public record Violation(String subject, String description) {}
