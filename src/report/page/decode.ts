/** The text of a data block of the page: base64 of gzip. @throws where the browser cannot decompress. */
export async function decodeBlock(id: string): Promise<string> {
  const block = document.getElementById(id);
  const base64 = block?.textContent ?? '';
  const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}
