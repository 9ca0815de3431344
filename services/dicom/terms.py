"""The standard's own words for kinds of images and parts of the body: the only words that leave a DICOM file.

Both fields are filled in by hand at some places, so anything may stand there, a name too. What is no term of the
standard's is dropped.
"""


def _listed(terms: str) -> frozenset[str]:
    return frozenset(terms.split())


_MODALITIES = _listed(
    "AR AU BDUS BI BMD CR CT DG DX ECG EPS ES FID GM HC HD IO IVOCT IVUS KER LEN LS MG MR NM OAM OCT OP OPM OPT OPTBSV "
    "OPTENF OPV OSS PT PX REG RESP RF RG RTDOSE RTIMAGE SEG SM SMR SRF TG US VA XA XC"
)
"""Modality's defined terms, PS3.3 C.7.3.1.1.1, but for OT, "other", which says nothing."""

_CLASSES = {
    "1": "CR",
    "1.1": "DX",
    "1.1.1": "DX",
    "1.2": "MG",
    "1.2.1": "MG",
    "1.3": "IO",
    "1.3.1": "IO",
    "2": "CT",
    "2.1": "CT",
    "2.2": "CT",
    "3.1": "US",
    "4": "MR",
    "4.1": "MR",
    "4.3": "MR",
    "4.4": "MR",
    "6.1": "US",
    "6.2": "US",
    "12.1": "XA",
    "12.1.1": "XA",
    "12.2": "RF",
    "12.2.1": "RF",
    "13.1.3": "MG",
    "20": "NM",
    "77.1.1": "ES",
    "77.1.2": "GM",
    "77.1.3": "SM",
    "77.1.4": "XC",
    "77.1.5.1": "OP",
    "77.1.6": "SM",
    "128": "PT",
    "130": "PT",
}
"""Storage classes of images (PS3.4, B.5), by what follows their common root, to the modality that each implies."""
_CLASS_ROOT = "1.2.840.10008.5.1.4.1.1."

_BODY_PARTS = _listed(
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS CALF "
    "CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CLAVICLE COCCYX COLON CORNEA CORONARYARTERY "
    "CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND "
    "HEAD HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG "
    "MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID "
    "PATELLA PELVIS PENIS PHARYNX PROSTATE RECTUM RIB SCALP SCAPULA SCLERA SCROTUM SHOULDER SKULL SPINE SPLEEN SSPINE "
    "STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THORAX THUMB THYMUS THYROID TLSPINE TMJ TOE TONGUE TRACHEA TSPINE "
    "UMBILICUS URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA"
)
"""Body Part Examined's defined terms, PS3.16 Annex L, with THORAX and FOREARM, which scanners write."""
_LENGTH = 16
"""Characters of a code string, PS3.5 6.2."""
_SHORTEST_WITHIN = 4
"""Letters of a term that is also recognised with words before or behind it: EAR is found in too many words."""


def modality_of(stated: str, sop_class: str) -> str | None:
    """The kind of image: the stated one, or else the one that the class of the file implies.

    Args:
        stated: the value of Modality, as it stands.
        sop_class: the value of SOP Class UID, as it stands.
    """
    word = _letters(stated)
    if word:
        return word if word in _MODALITIES else None
    return _CLASSES.get(sop_class.removeprefix(_CLASS_ROOT)) if sop_class.startswith(_CLASS_ROOT) else None


def body_part_of(stated: str) -> str | None:
    """The part of the body, also where a view or a side stands beside it, as in CHEST PA or LEFT HAND.

    Args:
        stated: the value of Body Part Examined, as it stands.
    """
    word = _letters(stated)
    if word in _BODY_PARTS:
        return word
    within = [part for part in _BODY_PARTS if len(part) >= _SHORTEST_WITHIN and _at_an_end(part, word)]
    return max(within, key=lambda part: (len(part), part), default=None)


def _at_an_end(part: str, word: str) -> bool:
    return word.startswith(part) or word.endswith(part)


def _letters(stated: str) -> str:
    return "".join(letter for letter in stated[: 4 * _LENGTH].upper() if "A" <= letter <= "Z")[:_LENGTH]
