"""Words of English prompts by what they do: a closed vocabulary of classes, and stems to compare the rest by.

A class holds words, not sentences: what a sentence is follows from the classes of all of its words, so that a
sentence nobody has seen before is judged by the same rule. A word of no class is content, and content stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+|[-_/][^\W_]+)*")

_FUNCTION = """a an the this that these those it its they them their there here i me my we us our you your yours
yourself he she his her who whom whose which what is are was were be been being am do does did
done doing have has had having will would shall should can could may might must ought need to of
in on at by for with from as into onto about between through during upon within per and or but so
nor yet also too then than while because since though although very really extremely highly
absolutely completely totally truly simply quite just much more most such own same any some all
each every both other another where how why s t ll re ve d m let get got if when whether unless
until once like etc via please kindly up out off down over again further always ever now today
above below following"""
FUNCTION = frozenset(_FUNCTION.split())

_NEGATION = "no not never none nothing nor neither without cannot nobody nowhere avoid refrain exclude except"
NEGATION = frozenset(_NEGATION.split())
_CONDITION = """if when whenever unless until otherwise case cases depending while once provided except whether
even although though instead rather else but however"""
CONDITION = frozenset(_CONDITION.split())
_DIRECTION = "from before after than instead rather over under until unless except without first then last next between"
DIRECTION = frozenset(_DIRECTION.split())

_PRAISE = """expert experts world-class worldclass helpful best top-notch top leading skilled seasoned
experienced knowledgeable professional brilliant intelligent smart talented excellent amazing
wonderful renowned advanced capable exceptional meticulous highly-skilled highly-experienced
world-renowned master genius accomplished proficient elite qualified state-of-the-art reliable
trusted dedicated diligent outstanding great good super perfect powerful sophisticated ultra-smart
cutting-edge award-winning senior veteran superb impressive specialized specialised"""
PRAISE = frozenset(_PRAISE.split())
_PERSONA = """ai assistant bot chatbot model language llm system agent tool helper expert specialist
professional analyst engine artificial intelligence machine gpt person human being someone role
act acting play pretend imagine behave serve serving working work years year experience expertise
knowledge deep extensive decades field skill skills background understanding job trained designed
annotator labeler classifier extractor parser summarizer evaluator"""
PERSONA = frozenset(_PERSONA.split())
_THANKS = """thank thanks appreciate appreciated appreciation grateful gratitude advance help helping
assistance cooperation luck support effort efforts hard time much best lot lots many again hope
well doing hello hi hey dear greetings welcome cheers day nice lovely kind patience regards love"""
THANKS = frozenset(_THANKS.split())
_EXHORT = """take time careful carefully consider considering accurate accurately accuracy helpful thorough
thoroughly attention pay paying close closely detail details best effort efforts try trying do job
important importance crucial critical vital essential high quality highest ensure make sure deep
breath focus focused concentrate diligent diligently diligence meticulous meticulously precise
precisely precision correct correctly well work great good excellent possible ability abilities
angle angles aspect aspects mindful matter matters career rely relies relying count counts
counting trust tip reward success successful depend depends really mind remember keep everything
perfect perfectly properly hard utmost care seriously serious performance believe proud
concentration amazing awesome approach treat attentive professionally conscientious
conscientiously attentively absolute task confident standard standards think through job life
lives stake thing things wonderful dollar dollars better hope way go lot us team wow better bonus
company business customer's mean means value values valued expect want like need"""
EXHORT = frozenset(_EXHORT.split())
_META = """below above following follow follows given give provided provide here find found see task prompt
instruction instructions section read reading receive presented present shown show input contain
contains data text content going want ask asked asking assigned begin start started go ahead ready
look looking message supplied pasted paste included request requested next come comes carefully
need needs want wants now today part thoroughly information let's complete"""
META = frozenset(_META.split())
_OUTPUT = """answer answers respond response reply output return give provide print write produce generate emit
result category categories label labels class classes option options choice choices tag tags
bucket type group exactly only single one word list listed exact name names best fit fits fitting
match matches matching appropriate suitable relevant applicable correct right choose choosing
chosen select selecting selected pick picking picked assign assigned assigning decide deciding
determine determining identify identifying classify classifying classification categorize
categorise categorizing categorization belong belongs belonging go goes apply applies describe
describes predefined possible valid allowed available given mention two three four five six seven
eight nine ten several multiple first label's category's make made invent create anything nothing
something additional extra other explanation explanations explain reason reasons reasoning
justification justify commentary comment comments punctuation text words sentence preamble
introduction intro quotation quotes quote marks formatting format markdown itself alone just
verbatim as-is lowercase case character characters spelling spelled spelt written write new
different outside set plain strictly restricted restrict limited limit must final add adding
include including included contain final number entire whole verdict decision judgement judgment"""
OUTPUT = frozenset(_OUTPUT.split())
_REASONING = """think thinking thought thoughts step steps step-by-step stepwise reason reasoning reasons
rationale explain explaining explanation explanations justify justification justifications
chain-of-thought walk aloud loud show work logic analysis analyze analyse deliberate deliberating
reflect through detail detailed before first process then"""
REASONING = frozenset(_REASONING.split())
ASKS_REASONING = re.compile(
    r"\b(?:think|reason|work|go|walk)\b[^.!?\n]{0,40}\bstep[- ]by[- ]step\b|\bstep[- ]by[- ]step\b"
    r"|\b(?:explain|justify|describe|show|give|provide|include|state|write|outline|add)\b[^.!?\n]{0,30}"
    r"\b(?:your|the|a|an|its)\s+(?:\w+\s+){0,2}(?:reason(?:ing|s)?|rationale|thought process|thinking|logic"
    r"|justification"
    r"|explanation|chain of thought)\b"
    r"|\b(?:explain|justify)\s+(?:why\b|how you\b|your (?:answer|choice|decision|classification|label))"
    r"|\bthink (?:aloud|out loud|it through|about (?:it|this)|through)\b|\bchain[- ]of[- ]thought\b",
    re.IGNORECASE,
)
_NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "single": "1", "six": "6"}

# Words that say the same in an instruction: the first of each line stands for all of them.
_SAME = """answer respond response reply output return give provide produce generate emit print
category label class categorization
concise brief short succinct
explanation reasoning justification rationale commentary
only just solely exclusively alone strictly
include add contain insert
invent fabricate hallucinate make-up
choose select pick
text passage
categorize classify
begin start
ensure guarantee
json-object json
exactly precisely
language tongue
use utilize employ
avoid refrain never not no n't
mention state"""


def _families() -> dict[str, str]:
    return {stem(word): stem(line.split()[0]) for line in _SAME.splitlines() for word in line.split()}


_SUFFIXES = (
    "izations",
    "isations",
    "ization",
    "isation",
    "ifications",
    "ification",
    "ifying",
    "ified",
    "ifies",
    "ations",
    "ation",
    "ators",
    "ator",
    "itions",
    "ition",
    "ments",
    "ment",
    "ings",
    "ing",
    "ions",
    "ion",
    "izers",
    "izer",
    "isers",
    "iser",
    "izes",
    "ises",
    "ize",
    "ise",
    "ized",
    "ised",
    "izing",
    "ising",
    "iers",
    "ier",
    "ify",
    "ies",
    "ied",
    "ers",
    "ors",
    "er",
    "or",
    "ed",
    "es",
    "ly",
    "s",
    "e",
    "y",
)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without its ending, to compare by: a rough one, the same for verb, noun and doer."""
    word = word.casefold().replace("’", "'").removesuffix("'s")
    for shortest in (3, 4):  # "answering" and "answers" end in one ending more than "answer"
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= shortest:
                word = word[: -len(suffix)]
                break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word


_FAMILY = _families()


# Words of grammar without which two sentences would seem to say the same.
_TELLING_WORDS = "only alone always if when unless before after first all every each any most may can below above"
_TELLING = frozenset(_TELLING_WORDS.split())


def words(text: str) -> list[str]:
    """All words, in small letters."""
    return [word.casefold().replace("’", "'") for word in WORD.findall(text)]


def known(word: str, classes: Iterable[frozenset[str]]) -> bool:
    """Whether the word, in this form or another, is in one of the classes."""
    root = stem(word)
    return any(word in each or root in _stems(each) for each in classes)


@lru_cache(maxsize=500)
def _stems(words_of_class: frozenset[str]) -> frozenset[str]:
    return frozenset(map(stem, words_of_class))


_CONTRACTED = re.compile("'(?:ll|ve|d|re|m|s)$")


def residue(text: str, *classes: frozenset[str]) -> list[str]:
    """The words that are in none of the classes, nor words of grammar: what the text says beyond them."""
    bare = (_CONTRACTED.sub("", word) for word in words(text))
    return [word for word in bare if word not in FUNCTION and not known(word, classes)]


def content(text: str) -> list[str]:
    """What a sentence says, as the stems of its words in order, with one word for words that mean the same."""
    found = []
    for word in words(text):
        if word in NEGATION or word.endswith("n't"):
            found.append("not")
        elif word in _NUMBERS:
            found.append(_NUMBERS[word])
        elif word in _TELLING or word not in FUNCTION:
            root = stem(word)
            found.append(_FAMILY.get(root, root))
    return found


def negated(text: str) -> bool:
    """Whether the text forbids, denies or leaves out something."""
    return any(word in NEGATION or word.endswith("n't") or word in ("dont", "cant") for word in words(text))


def conditional(text: str) -> bool:
    """Whether the text holds under a condition only."""
    return any(word in CONDITION for word in words(text))


_SMALL_WORDS = """the of and to in is you that it for are with as your be this not or from on by an will if each
what have should must can do only all one answer please given which at any them their"""
_ENGLISH = frozenset(_SMALL_WORDS.split())
_FOREIGN_WORDS = """der die das und ist nicht ein eine mit auf für den dem von zu sie ihr wenn oder bitte el los las
una que y en por para con del le les des une est et dans pour vous il di e che per sono non um uma
não os se het een van op te je na i w z się jest do tekst och att det som på av är ve bir için"""
# Words that English has, too.
_SHARED_WORDS = "do i die den per non est se as on an in e y el van op z w te je com"
_FOREIGN = frozenset(_FOREIGN_WORDS.split()) - frozenset(_SHARED_WORDS.split())


def english(text: str) -> bool:
    """Whether the text is English by its small words: there are some, and more than of other languages."""
    found = words(text)
    letters = [character for character in text if character.isalpha()]
    if not letters or sum(character.isascii() for character in letters) < 0.9 * len(letters):
        return False
    ours = sum(word in _ENGLISH or word in FUNCTION for word in found)
    theirs = sum(word in _FOREIGN for word in found)
    return ours > 2 * theirs and (ours >= 0.12 * len(found) or len(found) < 8)
