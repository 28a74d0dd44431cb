// The one difference between names in code and names in configuration files.

/** `dataDir` -> `DataDir`. */
export function pascalCase(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
