/** Says which KVM the tests of a report ran on: their names have it (`tests/support/kvm.ts`). */

/** How many tests of a JUnit report ran on which KVM, and how many needed none, in a line. */
export function kvmSummary(junit: string): string {
  const counts = new Map<string, number>();
  for (const [, name, skipped] of junit.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>\s*(<skipped)?)/g)) {
    const kvm = skipped
      ? "skipped"
      : /\[(?:.* under )?((?:hardware|software) \w+)/.exec(name)?.[1] ?? "without KVM";
    counts.set(kvm, (counts.get(kvm) ?? 0) + 1);
  }
  const text = (kvm: string) => /^(hard|soft)ware/.test(kvm) ? `on ${kvm}` : kvm;
  return `Tests by KVM: ${Array.from(counts, ([kvm, count]) => `${count} ${text(kvm)}`).join(", ")}.`;
}
