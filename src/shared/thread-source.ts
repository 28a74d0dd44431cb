// What a worker thread of this program runs: the built package runs its own file; sources, in tests, go through a loader
// that reads them. Starts no thread.

/** Both addresses as `import.meta.url` has them; the entry point's ends with `.js`. With `eval`, the source is a text. */
export function threadSource(entryPoint: string, starter: string): { readonly source: string; readonly eval: boolean } {
  if (!starter.endsWith('.ts')) return { source: entryPoint, eval: false };
  const file = JSON.stringify(entryPoint.replace(/js$/, 'ts'));
  return { source: `import('tsx/esm/api').then((api) => api.tsImport(${file}, ${file}));`, eval: true };
}
