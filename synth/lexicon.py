"""The small English word tables behind the rule-made corruptions: verbs, numbers, names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


AUXILIARIES: Final = _words("is are was were can could will would should must")
"""Verbs that take a bare *not*; `may` is left out, as *may not* hardly contradicts it."""

NOUN_LIKE: Final = _words("can will must")
"""Auxiliaries that are also nouns, and so never follow a determiner."""

DETERMINERS: Final = _words("a an the your his her its our their each every this that of free")

_THIRD: Final = _words(
    "absorb allow appear become begin belong boil break bring cause come consist contain convert "
    "decrease depend describe expand extend follow freeze get give grow happen help include "
    "increase involve keep let lie live make mean melt move need occur orbit prevent produce "
    "protect provide reduce refer release remain remove require run separate sink slow speed "
    "stand start stay store take tell travel turn use"
)
THIRD_PERSON: Final[Mapping[str, str]] = MappingProxyType(
    {f"{verb}s": verb for verb in sorted(_THIRD)} | {"has": "have", "goes": "go", "carries": "carry"}
)
"""Third person singular to base form, for *does not*."""

PAST: Final[Mapping[str, str]] = MappingProxyType(
    {
        "became": "become", "began": "begin", "brought": "bring", "built": "build",
        "came": "come", "drew": "draw", "fell": "fall", "fought": "fight", "gave": "give",
        "grew": "grow", "knew": "know", "lost": "lose", "made": "make", "ruled": "rule",
        "sold": "sell", "took": "take", "went": "go", "won": "win", "wrote": "write",
    }
)  # fmt: skip
"""Simple past to base form, for *did not*."""

IMPERATIVES: Final = _words(
    "Add Apply Ask Bake Beat Boil Bring Brush Call Check Choose Clean Close Combine Compare Cook "
    "Cool Cover Cut Divide Drain Draw Drink Dry Fill Find Fold Follow Give Hold Keep Knead Lay "
    "Leave Let Lift Lower Make Measure Melt Mix Move Multiply Open Pack Pay Peel Place Plant Pour "
    "Preheat Press Pull Push Put Raise Read Remove Repeat Replace Rinse Roll Rub Run Save Season "
    "Send Serve Set Shake Simmer Sit Soak Sprinkle Start Stir Store Subtract Take Tell Tie Toast "
    "Turn Use Wait Wash Water Wear Wipe Write"
)
OBJECT_LIKE: Final = _words(
    "a an the your it them this that these those each all any some both one two three four half "
    "in on with for off out up down to into from at over under until gently well only"
)
"""What follows a command but not a noun: *Water the bed*, *Water boils*."""

NUMBER_WORDS: Final = (
    _names("two,three,four,five,six,seven,eight,nine,ten,eleven,twelve"),
    _names("twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety"),
)

UNITS: Final = _words(
    "km m cm mm kg g mg ml l kj kcal calories metres meters kilometres kilometers miles feet yards "
    "litres liters grams kilograms tonnes tons watts volts joules newtons years days hours minutes "
    "seconds people words steps dollars euros pounds degrees units points pages times"
)
"""Words after which four digits are a quantity rather than a year."""

STARTERS: Final = _words(
    "A After All Also Although An And As At Because Before Both But By Dear During Each Every "
    "For From Hello Hi How However If In Is It Its Later Like Many Most No Of On One Only Or "
    "Our Since So Some That The Their Then There These They This Those Though To Today Two "
    "Under Unlike Until We Well What When Where Which While With Yes You Your"
)
"""Words that open a sentence without being part of the name that follows."""

HEADS: Final = _words(
    "Abbey Academy Act Age Agency Airport Army Association Award Bank Basin Battle Bay Book "
    "Bridge Canal Canyon Cape Castle Cathedral Centre Channel Church City Coast Code College "
    "Commission Committee Company Concertos Constitution Council Court Cup Day Declaration "
    "Department Desert Dipper Dynasty Empire Era Fair Falls Forest Games Gate Gulf Hall "
    "Hospital Hotel Institute Island Islands Isle Kingdom Lake Law League Ministry Mission "
    "Mount Mountains Museum Nations Navy Ocean Office Olympics Opera Organization Palace Park "
    "Party Peninsula Plateau Principle Prize Proclamation Renaissance Republic Revolution "
    "River Road Route School Sea Seasons Slam Society Sonata Stadium Station Strait Street "
    "Symphony System Tapestry Temple Theatre Theorem Tower Treaty Trench Union University "
    "Valley Wall War Way"
)
"""Words that say what a name is: *Ocean* in Pacific Ocean, *Mount* in Mount Fuji."""

GIVEN_NAMES: Final = _words(
    "Ada Adam Agatha Alan Albert Alexander Alfred Alice Amelia Andreas Andrew Angela Anna "
    "Anne Antonio Archduke Arthur Asaph Astrid Auguste Barack Bartolomeo Ben Benjamin Bill "
    "Blaise Bob Buzz Captain Carl Carlos Catherine Charles Charlotte Chris Christopher Clara "
    "Claude Daniel David Diego Dmitri Dr Edgar Edmund Edward Elizabeth Emily Emma Emperor "
    "Eric Ernest Ernst Evelyn Felix Ferdinand Fernando Florence Francis Franz Fred Frederick "
    "Friedrich Gabriel Galileo Geoff Georg George Georges Grace Gregor Guido Gustav Gustave "
    "Hans Harold Harriet Helen Henry Herman Howard Hugo Igor Immanuel Isaac Jack James Jane "
    "Jean Joan Johann Johannes John Jonas Jorge Jose Joseph Julia Julius Karl Kate Katherine "
    "King Laura Leo Leonardo Lewis Linus Lord Louis Lucio Ludwig Luis Luke Mahatma Marco "
    "Margaret Maria Marie Mario Martin Mary Matsuo Matthew Michael Miguel Mr Mrs Ms Napoleon "
    "Neil Nelson Nicolas Niels Nikola Nikolai Olga Oscar Otto Pablo Paul Peter Pierre Pope "
    "President Prince Princess Professor Queen Rachel Ralph Rene Richard Robert Roger Romulus "
    "Ronald Rosa Rosalind Rudolf Ruth Saint Sally Samuel Sarah Serena Sergei Sherlock Sigmund "
    "Simone Sir Sophie Stephen Steve Susan Ted Theodore Thomas Tim Tom Tony Truman Usain "
    "Valentina Vasco Victor Vincent Virginia Walt Walter Werner William Winston Wolfgang Yuri"
)
"""First names and titles, after which a capitalised word makes the whole a person."""

AMBIGUOUS: Final = _words("March May Mercury Polish Turkey")
"""Known names that are ordinary words when they open a sentence."""

KNOWN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "continent": _names("Africa,Antarctica,Asia,Europe,North America,South America,Australia"),
        "country": _names(
            "Argentina,Austria,Belgium,Brazil,Canada,Chile,China,Colombia,Cuba,Denmark,Egypt,"
            "England,Ethiopia,Finland,France,Germany,Ghana,Greece,Hungary,Iceland,India,"
            "Indonesia,Iran,Ireland,Italy,Japan,Kenya,Mexico,Mongolia,Morocco,Nepal,"
            "New Zealand,Nigeria,Norway,Pakistan,Peru,Poland,Portugal,Russia,Scotland,"
            "South Africa,South Korea,Spain,Sweden,Switzerland,Thailand,Turkey,Ukraine,Vietnam"
        ),
        "the country": _names("Netherlands,Philippines,United Kingdom,United States"),
        "city": _names(
            "Amsterdam,Athens,Bangkok,Barcelona,Beijing,Berlin,Boston,Brasilia,Brussels,"
            "Budapest,Buenos Aires,Cairo,Canberra,Chicago,Copenhagen,Delhi,Dublin,Edinburgh,"
            "Florence,Geneva,Helsinki,Istanbul,Jakarta,Kyoto,Lima,Lisbon,London,Madrid,"
            "Melbourne,Milan,Moscow,Mumbai,Munich,Nairobi,New Orleans,New York,Oslo,Ottawa,"
            "Paris,Prague,Rio de Janeiro,Rome,Santiago,Seoul,Stockholm,Sydney,Tokyo,Toronto,"
            "Venice,Vienna,Warsaw,Washington,Wellington"
        ),
        "planet": _names("Mercury,Venus,Mars,Jupiter,Saturn,Uranus,Neptune"),
        "month": _names(
            "January,February,March,April,May,June,July,August,September,October,November,December"
        ),
        "weekday": _names("Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"),
        "people": _names(
            "American,Arabic,Australian,British,Chinese,Dutch,Egyptian,English,French,German,"
            "Greek,Indian,Irish,Italian,Japanese,Korean,Latin,Mexican,Norwegian,Persian,Polish,"
            "Portuguese,Roman,Russian,Scottish,Spanish,Swedish,Turkish"
        ),
        "river": _names(
            "Amazon,Danube,Ganges,Mekong,Mississippi,Nile,Rhine,Seine,Thames,Volga,Yangtze"
        ),
        "surname": _names(
            "Archimedes,Aristotle,Bach,Beethoven,Chopin,Columbus,Copernicus,Curie,Darwin,"
            "Edison,Einstein,Euclid,Faraday,Galileo,Gandhi,Kepler,Lincoln,Mendel,Mozart,Newton,"
            "Pasteur,Picasso,Plato,Rembrandt,Shakespeare,Socrates,Tesla,Vivaldi"
        ),
        "language": _names("Python,Java,JavaScript,Rust,Haskell,Ruby"),
    }
)  # fmt: skip
"""Names known by sight, by kind; no name stands under two."""
