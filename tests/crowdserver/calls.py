"""Small helpers for tests that call the API."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.crowd import Person, Running, html_question, simple_html

from replicate.crowdserver.admin import invite

_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
FORM = f"""<QuestionForm xmlns="{_SCHEMAS}/2017-11-06/QuestionForm.xsd">
<Overview><Title>Two fishes</Title><Text>One &lt;is&gt; gold.</Text>
<List><ListItem>Look</ListItem><ListItem>Think</ListItem></List></Overview>
<Question><QuestionIdentifier>fish</QuestionIdentifier><DisplayName>Which fish?</DisplayName>
<IsRequired>true</IsRequired><QuestionContent><Text>It is golden.</Text></QuestionContent>
<AnswerSpecification><SelectionAnswer><StyleSuggestion>radiobutton</StyleSuggestion><Selections>
<Selection><SelectionIdentifier>g</SelectionIdentifier><Text>Goldfish</Text></Selection>
<Selection><SelectionIdentifier>k</SelectionIdentifier><Text>Koi</Text></Selection>
</Selections></SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>parts</QuestionIdentifier><QuestionContent/>
<AnswerSpecification><SelectionAnswer><StyleSuggestion>checkbox</StyleSuggestion><Selections>
<Selection><SelectionIdentifier>f</SelectionIdentifier><Text>Fins</Text></Selection>
<Selection><SelectionIdentifier>h</SelectionIdentifier><Text>Hooves</Text></Selection>
<Selection><SelectionIdentifier>s</SelectionIdentifier><Text>Scales</Text></Selection>
</Selections></SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>why</QuestionIdentifier><QuestionContent><FormattedContent>
<![CDATA[<p>Say <b>why</b>.</p>]]></FormattedContent></QuestionContent><AnswerSpecification>
<FreeTextAnswer><Constraints><Length maxLength="20"/></Constraints></FreeTextAnswer>
</AnswerSpecification></Question></QuestionForm>"""
KEY = f"""<AnswerKey xmlns="{_SCHEMAS}/2005-10-01/AnswerKey.xsd">
<Question><QuestionIdentifier>fish</QuestionIdentifier><AnswerOption>
<SelectionIdentifier>g</SelectionIdentifier><AnswerScore>2</AnswerScore></AnswerOption></Question>
<Question><QuestionIdentifier>parts</QuestionIdentifier><AnswerOption>
<SelectionIdentifier>s</SelectionIdentifier><SelectionIdentifier>f</SelectionIdentifier>
<AnswerScore>1</AnswerScore></AnswerOption><DefaultScore>-1</DefaultScore></Question>
<QualificationValueMapping><PercentageMapping><MaximumSummedScore>3</MaximumSummedScore>
</PercentageMapping></QualificationValueMapping></AnswerKey>"""


def refused(call: Any, **values: Any) -> str:
    """The last word of the TurkErrorCode that a call is refused with."""
    with pytest.raises(ClientError) as error:
        call(**values)
    answer = error.value.response
    assert answer["Error"]["Code"] == "RequestError", answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Message"].endswith(f"({answer['TurkErrorCode']})")
    return str(answer["TurkErrorCode"]).rpartition(".")[2]


def person(server: Running, name: str) -> Person:
    return Person(server, invite(server.db, names=[name])[0])


def worker_id(server: Running, name: str) -> str:
    """The id that requesters know a worker by."""
    from replicate.crowdserver.database import Database
    from replicate.crowdserver.names import worker_id as hashed

    invite(server.db, names=[name])
    database = Database(server.db)
    try:
        return hashed(database.key, name)
    finally:
        database.close()


def question(word: str) -> str:
    return html_question(simple_html([]).replace("<form", f"<p>{word}</p><form"))
