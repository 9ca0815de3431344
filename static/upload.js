// What a script adds to the upload form: dropping, pasting, a preview, a size check and a "working" state.
// The form is complete without it.

const form = document.querySelector("form[data-upload]");
if (form) enhance(form);

function enhance(form) {
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-zone]");
  const preview = form.querySelector("[data-preview]");
  const status = form.querySelector("[data-status]");
  const button = form.querySelector("button[type=submit]");
  const idle = button.textContent;
  let address = null;

  for (const element of form.querySelectorAll("[data-scripted]")) element.hidden = false;

  input.addEventListener("change", show);
  preview.addEventListener("load", release);
  preview.addEventListener("error", () => {
    release();
    if (!input.files.length) return;
    preview.hidden = true;
    say(`${described(input.files[0])}. This browser cannot show it, but it can be sent.`);
  });

  // A file that misses the zone must not replace the page, so the whole window takes it.
  window.addEventListener("dragover", (event) => {
    if (!holdsFile(event.dataTransfer)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  window.addEventListener("drop", (event) => {
    if (!holdsFile(event.dataTransfer)) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));

  form.addEventListener("submit", () => {
    // Disabled only after this turn, so that the submission itself is not cancelled.
    setTimeout(() => { button.disabled = true; });
    button.textContent = "Working…";
    say("The image is being sent and answered.");
  });

  // Also the way back from the answer: the browser may restore the page as it was left, button and all.
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    button.textContent = idle;
    show();
  });

  function take(files) {
    if (!files.length) return;
    const one = new DataTransfer();
    one.items.add(files[0]);
    input.files = one.files;
    show();
    if (files.length > 1) say(`${status.textContent} Only the first of ${files.length} files was taken.`);
  }

  function show() {
    const file = input.files[0];
    const complaint = file ? complaintAbout(file) : "";
    release();
    preview.hidden = true;
    input.setCustomValidity(complaint);
    status.classList.toggle("refused", complaint !== "");
    say(complaint || (file ? described(file) : ""));
    if (!file || complaint) return;
    address = URL.createObjectURL(file);
    preview.src = address;
    preview.hidden = false;
  }

  function complaintAbout(file) {
    const limit = Number(input.dataset.maxBytes);
    if (file.size > limit) return `This file has ${inMiB(file.size)}; at most ${inMiB(limit)} are accepted.`;
    if (file.size === 0) return "This file is empty.";
    return "";
  }

  function release() {
    if (address) URL.revokeObjectURL(address);
    address = null;
  }

  function say(text) {
    status.textContent = text;
  }
}

function holdsFile(transfer) {
  return transfer !== null && [...transfer.types].includes("Files");
}

function described(file) {
  return `${file.name}, ${inMiB(file.size)}`;
}

// Rounded up, so that a file just above the limit does not read as if it kept it.
function inMiB(bytes) {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 2 ** 10)} KiB` : `${Math.ceil(bytes / 2 ** 20 * 10) / 10} MiB`;
}
